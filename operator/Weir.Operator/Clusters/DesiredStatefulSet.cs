using System.Text.Json.Nodes;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;

namespace Weir.Operator.Clusters;

/// <summary>The StatefulSet of a cluster as it shall be. Pure. Its pods are admitted where pod security is restricted.</summary>
internal static class DesiredStatefulSet
{
    private const string DataPath = "/var/lib/weir";
    private const string ConfigPath = "/etc/weir";
    private const long User = 1654;

    /// <param name="cluster">The cluster.</param>
    /// <param name="image">Image of the brokers.</param>
    /// <param name="replicas">Brokers that run.</param>
    /// <param name="storageSize">What a new volume asks for; the present value if there is a StatefulSet, as it cannot be changed.</param>
    public static JsonObject Create(V1Alpha1WeirCluster cluster, string image, int replicas, string storageSize)
    {
        var names = ClusterNames.Of(cluster);
        var claim = new JsonObject
        {
            ["accessModes"] = new JsonArray("ReadWriteOnce"),
            ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = storageSize } },
        };
        Set(claim, "storageClassName", cluster.Spec.Storage.StorageClassName);
        return new JsonObject
        {
            ["metadata"] = DesiredObjects.Metadata(
                cluster, new JsonObject { [Annotations.TemplateHash] = TemplateHash.Of(cluster) }),
            ["spec"] = new JsonObject
            {
                ["replicas"] = replicas,
                ["serviceName"] = names.HeadlessService.Name,
                ["podManagementPolicy"] = "Parallel",
                ["updateStrategy"] = new JsonObject { ["type"] = "OnDelete" },
                ["selector"] = new JsonObject { ["matchLabels"] = DesiredObjects.SelectorLabels(cluster) },
                ["template"] = Template(cluster, names, image),
                ["volumeClaimTemplates"] = new JsonArray(new JsonObject
                {
                    ["metadata"] = new JsonObject { ["name"] = "data", ["labels"] = DesiredObjects.CommonLabels(cluster) },
                    ["spec"] = claim,
                }),
            },
        };
    }

    private static JsonObject Template(V1Alpha1WeirCluster cluster, ClusterNames names, string image)
    {
        var parts = cluster.Spec.PodTemplate ?? new PodTemplateSpec();
        var labels = DesiredObjects.CommonLabels(cluster);
        foreach (var (key, value) in parts.Labels ?? [])
        {
            labels[key] = value;
        }

        var annotations = DesiredObjects.Map(parts.Annotations) ?? [];
        annotations[Annotations.TemplateHash] = TemplateHash.Of(cluster);
        var user = parts.RunAsUser ?? User;
        var spec = new JsonObject
        {
            ["terminationGracePeriodSeconds"] = parts.TerminationGracePeriodSeconds ?? 60,
            ["automountServiceAccountToken"] = false,

            // Variables of a Service named weir would look like settings of the broker.
            ["enableServiceLinks"] = false,
            ["securityContext"] = new JsonObject
            {
                ["runAsNonRoot"] = true,
                ["runAsUser"] = user,
                ["runAsGroup"] = user,
                ["fsGroup"] = user,
                ["fsGroupChangePolicy"] = "OnRootMismatch",
                ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },
            },
            ["containers"] = new JsonArray(Container(cluster, names, image)),
            ["volumes"] = new JsonArray(
                new JsonObject { ["name"] = "config", ["configMap"] = new JsonObject { ["name"] = names.ConfigMap.Name } },
                new JsonObject { ["name"] = "tmp", ["emptyDir"] = new JsonObject() }),
            ["topologySpreadConstraints"] = DesiredObjects.Node(parts.TopologySpreadConstraints)
                ?? new JsonArray(Spread(cluster, "kubernetes.io/hostname"), Spread(cluster, "topology.kubernetes.io/zone")),
        };
        Set(spec, "affinity", DesiredObjects.Node(parts.Affinity));
        Set(spec, "tolerations", DesiredObjects.Node(parts.Tolerations));
        Set(spec, "nodeSelector", DesiredObjects.Map(parts.NodeSelector));
        Set(spec, "priorityClassName", parts.PriorityClassName);
        Set(spec, "serviceAccountName", parts.ServiceAccountName);
        Set(spec, "imagePullSecrets", parts.ImagePullSecrets is { Count: > 0 } secrets
            ? new JsonArray([.. secrets.Select(static name => (JsonNode)new JsonObject { ["name"] = name })])
            : null);
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["labels"] = labels, ["annotations"] = annotations },
            ["spec"] = spec,
        };
    }

    private static JsonObject Container(V1Alpha1WeirCluster cluster, ClusterNames names, string image)
    {
        var host = names.HostOf("$(POD_NAME)");
        var container = new JsonObject
        {
            ["name"] = "weir",
            ["image"] = image,
            ["args"] = new JsonArray(
                "broker", "--config", $"{ConfigPath}/config.json", "--data", $"{DataPath}/data",
                "--listen", $"0.0.0.0:{ClusterNames.Port}", "--http", $"0.0.0.0:{ClusterNames.HttpPort}",
                "--node-id", "$(POD_NAME)",
                "--set", $"Advertise={host}:{ClusterNames.Port}",
                "--set", "UnsafeAllowAnonymous=true"),
            ["env"] = Environment(cluster, names),
            ["ports"] = new JsonArray(Port("weir", ClusterNames.Port), Port("http", ClusterNames.HttpPort)),
            ["startupProbe"] = Probe("/healthz", period: 2, failures: 150),
            ["livenessProbe"] = Probe("/healthz", period: 10, failures: 6),
            ["readinessProbe"] = Probe("/readyz", period: 2, failures: 3),
            ["securityContext"] = new JsonObject
            {
                ["allowPrivilegeEscalation"] = false,
                ["readOnlyRootFilesystem"] = true,
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
            },
            ["volumeMounts"] = new JsonArray(
                new JsonObject { ["name"] = "data", ["mountPath"] = DataPath },
                new JsonObject { ["name"] = "config", ["mountPath"] = ConfigPath, ["readOnly"] = true },
                new JsonObject { ["name"] = "tmp", ["mountPath"] = "/tmp" }),
        };
        Set(container, "imagePullPolicy", cluster.Spec.ImagePullPolicy);
        Set(container, "resources", DesiredObjects.Node(cluster.Spec.Resources));
        return container;
    }

    private static JsonArray Environment(V1Alpha1WeirCluster cluster, ClusterNames names)
    {
        var environment = new JsonArray(
            FromField("POD_NAME", "metadata.name"),
            new JsonObject
            {
                ["name"] = "WEIR_CLUSTERSECRET",
                ["valueFrom"] = new JsonObject
                {
                    ["secretKeyRef"] = new JsonObject { ["name"] = names.Secret.Name, ["key"] = "clusterSecret" },
                },
            });
        if (cluster.Spec.Rack is { } rack)
        {
            // Empty, which is none, while the pod does not have the label.
            environment.Add(FromField("WEIR_RACK", $"metadata.labels['{rack.TopologyKey}']"));
        }

        foreach (var variable in cluster.Spec.PodTemplate?.Env ?? [])
        {
            environment.Add(DesiredObjects.Node(variable));
        }

        return environment;
    }

    private static JsonObject FromField(string name, string path) => new()
    {
        ["name"] = name,
        ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = path } },
    };

    private static JsonObject Port(string name, int port) => new()
    {
        ["name"] = name, ["containerPort"] = port, ["protocol"] = "TCP",
    };

    private static JsonObject Probe(string path, int period, int failures) => new()
    {
        ["httpGet"] = new JsonObject { ["path"] = path, ["port"] = "http" },
        ["periodSeconds"] = period,
        ["timeoutSeconds"] = 2,
        ["failureThreshold"] = failures,
    };

    private static JsonObject Spread(V1Alpha1WeirCluster cluster, string key) => new()
    {
        ["maxSkew"] = 1,
        ["topologyKey"] = key,
        ["whenUnsatisfiable"] = "ScheduleAnyway",
        ["labelSelector"] = new JsonObject { ["matchLabels"] = DesiredObjects.SelectorLabels(cluster) },
    };

    private static void Set(JsonObject target, string name, JsonNode? value)
    {
        if (value is not null)
        {
            target[name] = value;
        }
    }
}
