using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Clusters;

/// <summary>Reads and writes the Kubernetes objects of clusters. What is as it shall be is not written. Thread-safe.</summary>
internal sealed class ClusterObjects(KubeApi api)
{
    private readonly KubeResource<V1Service> _services = new(api);
    private readonly KubeResource<V1ConfigMap> _configMaps = new(api);
    private readonly KubeResource<V1Secret> _secrets = new(api);
    private readonly KubeResource<V1StatefulSet> _statefulSets = new(api);
    private readonly KubeResource<V1Pod> _pods = new(api);
    private readonly KubeResource<V1PersistentVolumeClaim> _claims = new(api);
    private readonly KubeResource<V1Namespace> _namespaces = new(api);
    private readonly ConcurrentDictionary<string, bool> _hasSecret = new();
    private KubeResource<V1PodDisruptionBudget>? _budgets;

    /// <summary>What exists of a cluster now, read from the server and no cache: what is decided from it may not be undone.</summary>
    public async Task<(V1StatefulSet? StatefulSet, List<V1Pod> Pods, List<V1PersistentVolumeClaim> Claims)> ReadAsync(
        ClusterNames names, CancellationToken cancellationToken)
    {
        var statefulSet = await _statefulSets.GetAsync(names.StatefulSet, cancellationToken);
        var pods = await _pods.ListAsync(names.Cluster.Namespace, names.Selector, 0, null, cancellationToken);
        var claims = await _claims.ListAsync(names.Cluster.Namespace, names.Selector, 0, null, cancellationToken);
        return (statefulSet, pods.Items, claims.Items);
    }

    /// <summary>Everything but the StatefulSet.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="brokers">Brokers that run or are about to.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>What could not be done, for people; null if all was.</returns>
    public async Task<string?> EnsureAsync(V1Alpha1WeirCluster cluster, int brokers, CancellationToken cancellationToken)
    {
        var names = ClusterNames.Of(cluster);
        await EnsureSecretAsync(cluster, names, cancellationToken);
        await EnsureAsync(_services, names.HeadlessService, DesiredObjects.HeadlessService(cluster), cancellationToken);
        await EnsureAsync(_services, names.ClientService, DesiredObjects.ClientService(cluster), cancellationToken);
        await EnsureAsync(_configMaps, names.ConfigMap, DesiredObjects.ConfigMap(cluster, brokers), cancellationToken);
        return await EnsureBudgetAsync(cluster, names, cancellationToken);
    }

    public async Task<V1StatefulSet> ApplyStatefulSetAsync(
        ClusterNames names, JsonObject desired, CancellationToken cancellationToken) =>
        await _statefulSets.ApplyAsync(names.StatefulSet, desired, FieldManagers.Objects, null, cancellationToken);

    public Task SetReplicasAsync(ClusterNames names, int replicas, CancellationToken cancellationToken) =>
        _statefulSets.MergeAsync(
            names.StatefulSet, new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } }, FieldManagers.Objects,
            cancellationToken);

    /// <summary>Deletes the StatefulSet and leaves its pods running.</summary>
    public async Task OrphanStatefulSetAsync(ClusterNames names, CancellationToken cancellationToken)
    {
        if (await _statefulSets.GetAsync(names.StatefulSet, cancellationToken) is { } live)
        {
            await _statefulSets.DeleteAsync(names.StatefulSet, live.Metadata.Uid, orphan: true, cancellationToken);
        }
    }

    public Task DeletePodAsync(ClusterNames names, string pod, string uid, CancellationToken cancellationToken) =>
        _pods.DeleteAsync(names.Cluster with { Name = pod }, uid, orphan: false, cancellationToken);

    public Task GrowVolumeAsync(ClusterNames names, string volume, string size, CancellationToken cancellationToken) =>
        _claims.MergeAsync(
            names.Cluster with { Name = volume },
            new JsonObject
            {
                ["spec"] = new JsonObject
                {
                    ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = size } },
                },
            },
            FieldManagers.Objects,
            cancellationToken);

    public async Task DeleteVolumesAsync(ClusterNames names, CancellationToken cancellationToken)
    {
        var claims = await _claims.ListAsync(names.Cluster.Namespace, names.Selector, 0, null, cancellationToken);
        foreach (var claim in claims.Items)
        {
            await _claims.DeleteAsync(ObjectKey.Of(claim), claim.Metadata.Uid, orphan: false, cancellationToken);
        }
    }

    /// <summary>Whether a namespace is being deleted; false if that must not be read.</summary>
    public async Task<bool> IsNamespaceTerminatingAsync(string ns, CancellationToken cancellationToken)
    {
        try
        {
            return await _namespaces.GetAsync(new ObjectKey(string.Empty, ns), cancellationToken)
                is null or { Metadata.DeletionTimestamp: not null };
        }
        catch (KubeApiException e) when (e.Status is System.Net.HttpStatusCode.Forbidden or System.Net.HttpStatusCode.Unauthorized)
        {
            return false;
        }
    }

    public void Forget(V1Alpha1WeirCluster cluster) => _hasSecret.TryRemove(cluster.Metadata.Uid ?? string.Empty, out _);

    private static async Task EnsureAsync<T>(
        KubeResource<T> resource, ObjectKey key, JsonObject desired, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var hash = TemplateHash.Of(desired.ToJsonString());
        var metadata = desired["metadata"]!.AsObject();
        var annotations = metadata["annotations"] as JsonObject ?? [];
        annotations[Annotations.AppliedHash] = hash;
        metadata["annotations"] = annotations;
        var live = await resource.GetAsync(key, cancellationToken);
        if (live is null || !DesiredObjects.Contains(DesiredObjects.Node(live), desired))
        {
            await resource.ApplyAsync(key, desired, FieldManagers.Objects, null, cancellationToken);
        }
    }

    private async Task EnsureSecretAsync(V1Alpha1WeirCluster cluster, ClusterNames names, CancellationToken cancellationToken)
    {
        var uid = cluster.Metadata.Uid ?? string.Empty;
        if (_hasSecret.ContainsKey(uid))
        {
            return;
        }

        if (await _secrets.GetAsync(names.Secret, cancellationToken) is null)
        {
            var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
            try
            {
                await _secrets.CreateAsync(
                    names.Secret, DesiredObjects.Secret(cluster, secret), FieldManagers.Objects, cancellationToken);
            }
            catch (KubeApiException e) when (e.IsConflict)
            {
                // Somebody else was faster; theirs is as good.
            }
        }

        _hasSecret[uid] = true;
    }

    private async Task<string?> EnsureBudgetAsync(
        V1Alpha1WeirCluster cluster, ClusterNames names, CancellationToken cancellationToken)
    {
        if (await FindBudgetsAsync(names.Cluster.Namespace, cancellationToken) is not { } budgets)
        {
            return "this Kubernetes serves no PodDisruptionBudget: nothing bounds how many brokers a drain of nodes takes down";
        }

        var isStable = budgets.ApiVersion == "policy/v1";
        if (DesiredObjects.DisruptionBudget(cluster, knowsEvictionPolicy: isStable) is { } desired)
        {
            await EnsureAsync(budgets, names.DisruptionBudget, desired, cancellationToken);
        }
        else if (await budgets.GetAsync(names.DisruptionBudget, cancellationToken) is { } live
            && live.Metadata.OwnerReferences?.Any(owner => owner.Uid == cluster.Metadata.Uid) == true)
        {
            await budgets.DeleteAsync(names.DisruptionBudget, live.Metadata.Uid, orphan: false, cancellationToken);
        }

        return null;
    }

    /// <summary>The version that the server has; null for none.</summary>
    private async Task<KubeResource<V1PodDisruptionBudget>?> FindBudgetsAsync(string ns, CancellationToken cancellationToken)
    {
        if (_budgets is { } known)
        {
            return known;
        }

        foreach (var version in new[] { "v1", "v1beta1" })
        {
            var candidate = new KubeResource<V1PodDisruptionBudget>(api, version);
            try
            {
                await candidate.ListAsync(ns, Labels.Cluster, 1, null, cancellationToken);
                return _budgets = candidate;
            }
            catch (KubeApiException e) when (e.IsNotFound)
            {
                // Not served.
            }
        }

        return null;
    }
}
