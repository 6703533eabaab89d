using System.Text.Json.Nodes;
using k8s;
using Weir.Operator.Entities;

namespace Weir.Operator.Clusters;

/// <summary>
/// The objects of a cluster as they shall be, with the fields that the operator cares about and no others. Pure: the same
/// specification gives the same objects.
/// </summary>
internal static class DesiredObjects
{
    /// <summary>What every object of a cluster has in its metadata.</summary>
    public static JsonObject Metadata(V1Alpha1WeirCluster cluster, JsonObject? annotations = null)
    {
        var metadata = new JsonObject
        {
            ["labels"] = CommonLabels(cluster),
            ["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "weir.dev/v1alpha1",
                ["kind"] = "WeirCluster",
                ["name"] = cluster.Metadata.Name,
                ["uid"] = cluster.Metadata.Uid,
                ["controller"] = true,
                ["blockOwnerDeletion"] = true,
            }),
        };
        if (annotations is { Count: > 0 })
        {
            metadata["annotations"] = annotations;
        }

        return metadata;
    }

    public static JsonObject CommonLabels(V1Alpha1WeirCluster cluster) => new()
    {
        [Labels.Name] = "weir",
        [Labels.Instance] = cluster.Metadata.Name,
        [Labels.Component] = "broker",
        [Labels.ManagedBy] = Labels.Operator,
        [Labels.Cluster] = cluster.Metadata.Name,
    };

    public static JsonObject SelectorLabels(V1Alpha1WeirCluster cluster) => new()
    {
        [Labels.Name] = "weir",
        [Labels.Instance] = cluster.Metadata.Name,
        [Labels.Component] = "broker",
    };

    /// <summary>Names the pods, also those that are not ready: brokers must find each other to become so.</summary>
    public static JsonObject HeadlessService(V1Alpha1WeirCluster cluster) => new()
    {
        ["metadata"] = Metadata(cluster),
        ["spec"] = new JsonObject
        {
            ["clusterIP"] = "None",
            ["publishNotReadyAddresses"] = true,
            ["selector"] = SelectorLabels(cluster),
            ["ports"] = new JsonArray(Port("weir", ClusterNames.Port), Port("http", ClusterNames.HttpPort)),
        },
    };

    /// <summary>Where clients connect first.</summary>
    public static JsonObject ClientService(V1Alpha1WeirCluster cluster)
    {
        var listener = cluster.Spec.Listeners?.FirstOrDefault();
        return new JsonObject
        {
            ["metadata"] = Metadata(cluster, Map(listener?.Annotations)),
            ["spec"] = new JsonObject
            {
                ["type"] = listener?.Type is null or "Internal" ? "ClusterIP" : listener.Type,
                ["selector"] = SelectorLabels(cluster),
                ["ports"] = new JsonArray(Port("weir", ClusterNames.Port)),
            },
        };
    }

    /// <summary>The brokers' settings. Running brokers do not read them again: new voters cause no restart.</summary>
    public static JsonObject ConfigMap(V1Alpha1WeirCluster cluster, int brokers)
    {
        var settings = new JsonObject { ["ClusterPeers"] = ClusterNames.Of(cluster).Peers(brokers) };
        foreach (var (key, value) in (cluster.Spec.Config ?? []).OrderBy(static pair => pair.Key, StringComparer.Ordinal))
        {
            settings[key] = value;
        }

        return new JsonObject
        {
            ["metadata"] = Metadata(cluster),
            ["data"] = new JsonObject { ["config.json"] = settings.ToJsonString() },
        };
    }

    /// <summary>The secret by which the brokers know each other. Made once, never read or changed again.</summary>
    public static JsonObject Secret(V1Alpha1WeirCluster cluster, string secret) => new()
    {
        ["metadata"] = Metadata(cluster),
        ["type"] = "Opaque",
        ["stringData"] = new JsonObject { ["clusterSecret"] = secret },
    };

    /// <summary>Null if the cluster shall have none: with one broker it would hold up every drain of a node for ever.</summary>
    public static JsonObject? DisruptionBudget(V1Alpha1WeirCluster cluster, bool knowsEvictionPolicy)
    {
        var wanted = cluster.Spec.DisruptionBudget;
        if (!(wanted?.Enabled ?? cluster.Spec.Brokers >= 3))
        {
            return null;
        }

        var spec = new JsonObject
        {
            ["maxUnavailable"] = wanted?.MaxUnavailable ?? 1,
            ["selector"] = new JsonObject { ["matchLabels"] = SelectorLabels(cluster) },
        };
        if (knowsEvictionPolicy)
        {
            spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow";
        }

        return new JsonObject { ["metadata"] = Metadata(cluster), ["spec"] = spec };
    }

    /// <summary>The value of a Kubernetes type, as it is.</summary>
    public static JsonNode? Node(object? value) => value is null ? null : JsonNode.Parse(KubernetesJson.Serialize(value));

    public static JsonObject? Map(IReadOnlyDictionary<string, string>? map) => map is null or { Count: 0 }
        ? null
        : new JsonObject(map.OrderBy(static pair => pair.Key, StringComparer.Ordinal)
            .Select(static pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));

    /// <summary>Whether an object has everything that is wanted of it. What others added does not count.</summary>
    public static bool Contains(JsonNode? live, JsonNode? wanted)
    {
        switch (wanted)
        {
            case JsonObject fields:
                return live is JsonObject present && fields.All(field => Contains(present[field.Key], field.Value));
            case JsonArray items:
                return live is JsonArray list && list.Count == items.Count
                    && items.Select((item, index) => Contains(list[index], item)).All(static holds => holds);
            case null:
                return true;
            default:
                return live is JsonValue && JsonNode.DeepEquals(
                    JsonNode.Parse(live.ToJsonString()), JsonNode.Parse(wanted.ToJsonString()));
        }
    }

    private static JsonObject Port(string name, int port) => new()
    {
        ["name"] = name,
        ["port"] = port,
        ["protocol"] = "TCP",
        ["targetPort"] = name,
    };
}
