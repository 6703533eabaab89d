using System.Text.Json.Nodes;
using k8s.Models;
using Weir.Kubernetes.Tests.Control;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>Makes a folder of each volume of a pod.</summary>
/// <param name="api">The API server.</param>
/// <param name="folder">Of the pod; gone with it.</param>
/// <param name="claims">Where the folders of claims are.</param>
internal sealed class PodVolumes(ApiClient api, string folder, string claims)
{
    /// <summary>The folders by the names of their volumes; null while something is missing that they need.</summary>
    public async Task<Dictionary<string, string>?> ResolveAsync(V1Pod pod, CancellationToken stop)
    {
        var folders = new Dictionary<string, string>();
        foreach (var volume in pod.Spec.Volumes ?? [])
        {
            if (await ResolveAsync(pod, volume, stop) is not { } path)
            {
                return null;
            }

            folders[volume.Name] = path;
        }

        return folders;
    }

    /// <summary>The folder of a claim.</summary>
    public static string FolderOf(string claims, string uid) => Path.Combine(claims, uid);

    /// <summary>A field of a pod, as the downward API names it.</summary>
    public static string Field(V1Pod pod, string address, string path) => path switch
    {
        "metadata.name" => pod.Metadata.Name,
        "metadata.namespace" => pod.Metadata.NamespaceProperty,
        "metadata.uid" => pod.Metadata.Uid,
        "spec.nodeName" => pod.Spec.NodeName ?? string.Empty,
        "spec.serviceAccountName" => pod.Spec.ServiceAccountName ?? string.Empty,
        "status.podIP" => address,
        "status.hostIP" => "127.0.0.1",
        _ when path.StartsWith("metadata.labels['", StringComparison.Ordinal) => Item(pod.Metadata.Labels, path),
        _ when path.StartsWith("metadata.annotations['", StringComparison.Ordinal) => Item(pod.Metadata.Annotations, path),
        _ => throw new NotSupportedException($"field {path}"),
    };

    private static string Item(IDictionary<string, string>? map, string path) =>
        map is not null && map.TryGetValue(path[(path.IndexOf('\'', StringComparison.Ordinal) + 1)..^2], out var value) ? value : string.Empty;

    private async Task<string?> ResolveAsync(V1Pod pod, V1Volume volume, CancellationToken stop)
    {
        if (volume.PersistentVolumeClaim is { } claim)
        {
            var found = await api.FindAsync(
                $"/api/v1/namespaces/{pod.Metadata.NamespaceProperty}/persistentvolumeclaims/{claim.ClaimName}", stop);
            return (string?)found?["status"]?["phase"] == "Bound"
                ? Directory.CreateDirectory(FolderOf(claims, (string)found["metadata"]!["uid"]!)).FullName
                : null;
        }

        var path = Directory.CreateDirectory(Path.Combine(folder, "volumes", volume.Name)).FullName;
        return volume switch
        {
            { EmptyDir: not null } => path,
            { ConfigMap: { } map } => await WriteAsync(pod, "configmaps", map.Name, map.Items, map.Optional, path, stop),
            { Secret: { } secret } => await WriteAsync(pod, "secrets", secret.SecretName, secret.Items, secret.Optional, path, stop),
            { Projected: { } projected } => await ProjectAsync(pod, projected, path, stop),
            _ => throw new NotSupportedException($"volume {volume.Name}"),
        };
    }

    private async Task<string?> ProjectAsync(V1Pod pod, V1ProjectedVolumeSource projected, string path, CancellationToken stop)
    {
        foreach (var source in projected.Sources)
        {
            if (source.ServiceAccountToken is { } token)
            {
                await File.WriteAllTextAsync(Path.Combine(path, token.Path), await TokenAsync(pod, token, stop), stop);
            }

            foreach (var item in source.DownwardAPI?.Items ?? [])
            {
                await File.WriteAllTextAsync(Path.Combine(path, item.Path), Field(pod, string.Empty, item.FieldRef.FieldPath), stop);
            }

            if (source.ConfigMap is { } map
                && await WriteAsync(pod, "configmaps", map.Name, map.Items, map.Optional, path, stop) is null)
            {
                return null;
            }

            if (source.Secret is { } secret
                && await WriteAsync(pod, "secrets", secret.Name, secret.Items, secret.Optional, path, stop) is null)
            {
                return null;
            }
        }

        return path;
    }

    private async Task<string> TokenAsync(V1Pod pod, V1ServiceAccountTokenProjection token, CancellationToken stop)
    {
        var ns = pod.Metadata.NamespaceProperty;
        var reply = await api.PostAsync(
            $"/api/v1/namespaces/{ns}/serviceaccounts/{pod.Spec.ServiceAccountName}/token",
            new JsonObject
            {
                ["apiVersion"] = "authentication.k8s.io/v1",
                ["kind"] = "TokenRequest",
                ["spec"] = new JsonObject
                {
                    ["expirationSeconds"] = token.ExpirationSeconds ?? 3600,
                    ["audiences"] = token.Audience is null ? [] : new JsonArray(token.Audience),
                    ["boundObjectRef"] = new JsonObject
                    {
                        ["apiVersion"] = "v1", ["kind"] = "Pod", ["name"] = pod.Metadata.Name, ["uid"] = pod.Metadata.Uid,
                    },
                },
            },
            stop);
        return (string)reply["status"]!["token"]!;
    }

    private async Task<string?> WriteAsync(
        V1Pod pod, string kind, string name, IList<V1KeyToPath>? items, bool? optional, string path, CancellationToken stop)
    {
        var found = await api.FindAsync($"/api/v1/namespaces/{pod.Metadata.NamespaceProperty}/{kind}/{name}", stop);
        if (found is null)
        {
            return optional == true ? path : null;
        }

        foreach (var (key, value) in found["data"]?.AsObject() ?? [])
        {
            var file = items is null ? key : items.FirstOrDefault(item => item.Key == key)?.Path;
            if (file is not null)
            {
                var bytes = kind == "secrets"
                    ? Convert.FromBase64String((string)value!)
                    : System.Text.Encoding.UTF8.GetBytes((string)value!);
                await File.WriteAllBytesAsync(Path.Combine(path, file), bytes, stop);
            }
        }

        return path;
    }
}
