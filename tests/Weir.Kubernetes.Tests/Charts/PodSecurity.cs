using System.Text.Json.Nodes;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>
/// What of a pod the pod security standard "restricted" refuses, as Kubernetes describes the standard. A server of 1.25 and later
/// says it too, but only of pods that are made.
/// </summary>
internal static class PodSecurity
{
    private static readonly string[] VolumeTypes =
    [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
    ];

    private static readonly string[] ContainerLists = ["initContainers", "containers", "ephemeralContainers"];

    /// <summary>Each thing that is refused, in words; none if it is admitted.</summary>
    public static IEnumerable<string> Violations(JsonObject pod)
    {
        foreach (var field in (string[])["hostNetwork", "hostPID", "hostIPC"])
        {
            if ((bool?)pod[field] == true)
            {
                yield return field;
            }
        }

        foreach (var volume in Items(pod["volumes"]))
        {
            foreach (var (type, _) in volume.Where(static field => field.Key != "name" && !VolumeTypes.Contains(field.Key)))
            {
                yield return $"volume {volume["name"]} is a {type}";
            }
        }

        var context = pod["securityContext"] as JsonObject ?? [];
        foreach (var violation in OfBoth(context, "the pod"))
        {
            yield return violation;
        }

        if (context["sysctls"] is JsonArray { Count: > 0 })
        {
            yield return "sysctls";
        }

        foreach (var container in ContainersOf(pod))
        {
            foreach (var violation in OfContainer(container, context))
            {
                yield return $"{container["name"]}: {violation}";
            }
        }
    }

    /// <summary>Containers of all kinds.</summary>
    public static IEnumerable<JsonObject> ContainersOf(JsonObject pod) => ContainerLists.SelectMany(list => Items(pod[list]));

    private static IEnumerable<string> OfContainer(JsonObject container, JsonObject pod)
    {
        var context = container["securityContext"] as JsonObject ?? [];
        foreach (var violation in OfBoth(context, "the container"))
        {
            yield return violation;
        }

        if ((bool?)context["privileged"] == true)
        {
            yield return "privileged";
        }

        if ((bool?)context["allowPrivilegeEscalation"] != false)
        {
            yield return "allowPrivilegeEscalation is not false";
        }

        if ((bool?)(context["runAsNonRoot"] ?? pod["runAsNonRoot"]) != true)
        {
            yield return "runAsNonRoot is not true";
        }

        if ((string?)(context["seccompProfile"] ?? pod["seccompProfile"])?["type"] is not ("RuntimeDefault" or "Localhost"))
        {
            yield return "no seccomp profile";
        }

        var capabilities = context["capabilities"];
        if (!Texts(capabilities?["drop"]).Contains("ALL"))
        {
            yield return "capabilities are not dropped";
        }

        foreach (var added in Texts(capabilities?["add"]).Where(static name => name != "NET_BIND_SERVICE"))
        {
            yield return $"capability {added}";
        }

        if (context["procMount"] is not null && (string?)context["procMount"] != "Default")
        {
            yield return "procMount";
        }

        if (Items(container["ports"]).Any(static port => ((int?)port["hostPort"] ?? 0) != 0))
        {
            yield return "hostPort";
        }
    }

    private static IEnumerable<string> OfBoth(JsonObject context, string where)
    {
        if ((long?)context["runAsUser"] == 0)
        {
            yield return $"{where} runs as user 0";
        }

        if ((string?)context["seccompProfile"]?["type"] == "Unconfined")
        {
            yield return $"{where} has no seccomp profile";
        }

        if (context["seLinuxOptions"] is { } options && (options["user"] is not null || options["role"] is not null))
        {
            yield return $"{where} sets a user or a role of SELinux";
        }

        if ((string?)context["appArmorProfile"]?["type"] == "Unconfined")
        {
            yield return $"{where} has no AppArmor profile";
        }

        if ((bool?)context["windowsOptions"]?["hostProcess"] == true)
        {
            yield return $"{where} is a process of the host";
        }
    }

    private static IEnumerable<JsonObject> Items(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(static item => (string)item!);
}
