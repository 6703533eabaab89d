using System.Globalization;
using k8s.Models;
using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Clusters;

/// <summary>Keeps clusters as their resources say: one step per pass, decided by <see cref="OperationPlanner"/>.</summary>
internal sealed class ClusterController(
    ClusterObjects objects, BrokerPool pool, EventRecorder events, FinalizerWriter<V1Alpha1WeirCluster> finalizers,
    StatusWriter<V1Alpha1WeirCluster, WeirClusterSpec, WeirClusterStatus> statuses, string brokerImage, OperatorRuntime runtime)
    : IEntityController<V1Alpha1WeirCluster>
{
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Busy = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Starting = TimeSpan.FromSeconds(3);
    private readonly ClusterActions _actions = new(objects);

    /// <summary>Called with a cluster that serves again, for whoever waits for it.</summary>
    public Action<ObjectKey> OnServing { get; set; } = static _ => { };

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1WeirCluster>> ReconcileAsync(
        V1Alpha1WeirCluster entity, CancellationToken cancellationToken)
    {
        var status = StatusWriter<V1Alpha1WeirCluster, WeirClusterSpec, WeirClusterStatus>.Copy(statuses.Known(entity));
        if (Annotations.IsPaused(entity))
        {
            Condition[] conditions =
            [
                .. status.Conditions.Where(static condition => condition.Type != ConditionTypes.Paused),
                StatusConditions.Create(ConditionTypes.Paused, true, "Annotation", $"the annotation {Annotations.Pause} is set"),
            ];
            await statuses.WriteAsync(entity, status, conditions, cancellationToken);
            return ReconciliationResult<V1Alpha1WeirCluster>.Success(entity);
        }

        var faults = ClusterSpecCheck.FindFaults(entity);
        if (faults.Count > 0)
        {
            var condition = ClusterSpecCheck.ToCondition(faults);
            if (await statuses.WriteAsync(entity, status, [condition], cancellationToken))
            {
                await events.PublishAsync(entity, EventType.Warning, condition.Reason, condition.Message, cancellationToken);
            }

            return ReconciliationResult<V1Alpha1WeirCluster>.Success(entity);
        }

        await finalizers.AddAsync(entity, ClusterFinalizer.Name, cancellationToken);
        var pass = await RunAsync(entity, status, cancellationToken);
        await WriteAsync(entity, status, pass, cancellationToken);
        return ReconciliationResult<V1Alpha1WeirCluster>.Success(
            entity, pass.Action is not null ? Busy : pass.Snapshot is null ? Starting : Idle);
    }

    /// <inheritdoc/>
    public Task<ReconciliationResult<V1Alpha1WeirCluster>> DeletedAsync(
        V1Alpha1WeirCluster entity, CancellationToken cancellationToken)
    {
        pool.Close(ObjectKey.Of(entity));
        objects.Forget(entity);
        statuses.Forget(entity);
        return Task.FromResult(ReconciliationResult<V1Alpha1WeirCluster>.Success(entity));
    }

    private async Task<ClusterPass> RunAsync(
        V1Alpha1WeirCluster entity, WeirClusterStatus status, CancellationToken cancellationToken)
    {
        var names = ClusterNames.Of(entity);
        var warnings = new List<string>();
        var (statefulSet, pods, claims) = await objects.ReadAsync(names, cancellationToken);
        var replicas = ClusterObserver.ReplicasOf(entity, names, statefulSet, pods);
        if (await objects.EnsureAsync(entity, Math.Max(replicas, entity.Spec.Brokers), cancellationToken) is { } warning)
        {
            warnings.Add(warning);
        }

        statefulSet = await EnsureStatefulSetAsync(entity, names, statefulSet, replicas, cancellationToken);
        status.Image = statefulSet.Spec.Template.Spec.Containers[0].Image;
        var connection = pool.Of(entity);

        // While something goes on, or is about to, what was seen before it is of no use.
        var hash = TemplateHash.Of(entity);
        var isBusy = status.Operation is not null || pods.Count != replicas || entity.Spec.Brokers != replicas
            || pods.Exists(pod => Annotations.Find(pod, Annotations.TemplateHash) != hash);
        var snapshot = await GetSnapshotAsync(connection, isBusy ? TimeSpan.Zero : TimeSpan.FromSeconds(10), cancellationToken);
        var seen = new Observation
        {
            Names = names,
            Desired = entity.Spec.Brokers,
            Replicas = statefulSet.Spec.Replicas ?? replicas,
            TemplateHash = hash,
            StorageSize = ClusterSpecCheck.TryParse(entity.Spec.Storage.Size, out var size) ? size : 0,
            TemplateStorageSize = ClusterObserver.StorageOf(
                statefulSet.Spec.VolumeClaimTemplates?.FirstOrDefault()?.Spec.Resources?.Requests),
            Pods = [.. pods.Select(pod => ClusterObserver.ToView(names, pod))],
            Volumes =
            [
                .. claims.Select(static claim => new VolumeView(
                    claim.Metadata.Name, ClusterObserver.StorageOf(claim.Spec.Resources?.Requests))),
            ],
            Cluster = snapshot is null ? null : ClusterObserver.ToView(names, snapshot.Status),
            Previous = status.Operation,
        };
        var action = await ActAsync(entity, seen, connection, warnings, cancellationToken);
        if (snapshot is not null)
        {
            await AlignConfigAsync(entity, status, snapshot, connection, warnings, cancellationToken);
        }

        return new ClusterPass(seen, action, snapshot, warnings);
    }

    private async Task<V1StatefulSet> EnsureStatefulSetAsync(
        V1Alpha1WeirCluster entity, ClusterNames names, V1StatefulSet? live, int replicas, CancellationToken cancellationToken)
    {
        // What was made from this very specification stays as it is, whatever this version of the operator would make of it.
        if (live is not null && Annotations.Find(live, Annotations.TemplateHash) == TemplateHash.Of(entity))
        {
            return live;
        }

        var image = entity.Spec.Image
            ?? (entity.Spec.Version is { } version ? $"{Repository(brokerImage)}:{version}" : null)
            ?? live?.Spec.Template.Spec.Containers[0].Image
            ?? statuses.Known(entity)?.Image
            ?? brokerImage;
        var size = live?.Spec.VolumeClaimTemplates?.FirstOrDefault()?.Spec.Resources?.Requests?["storage"].ToString()
            ?? entity.Spec.Storage.Size;
        return await objects.ApplyStatefulSetAsync(
            names, DesiredStatefulSet.Create(entity, image, replicas, size), cancellationToken);
    }

    /// <summary>An image without its tag and digest.</summary>
    internal static string Repository(string image)
    {
        var name = image.Split('@')[0];
        var colon = name.LastIndexOf(':');
        return colon > name.LastIndexOf('/') ? name[..colon] : name;
    }

    private static async Task<ClusterSnapshot?> GetSnapshotAsync(
        ClusterConnection connection, TimeSpan maxAge, CancellationToken cancellationToken)
    {
        try
        {
            return await connection.GetSnapshotAsync(maxAge, cancellationToken);
        }
        catch (Exception e) when (e is BrokersUnreachableException or WeirException)
        {
            return null;
        }
    }

    private async Task<ClusterAction?> ActAsync(
        V1Alpha1WeirCluster entity, Observation seen, ClusterConnection connection, List<string> warnings,
        CancellationToken cancellationToken)
    {
        var action = OperationPlanner.Plan(seen);
        try
        {
            return await _actions.RunAsync(entity, seen, action, connection, cancellationToken);
        }
        catch (KubeApiException e) when (action is { Kind: ActionKind.GrowVolume }
            && (e.IsFinal || e.Status == System.Net.HttpStatusCode.Forbidden))
        {
            // A storage class that cannot grow stops nothing else.
            warnings.Add($"{action.Target} cannot grow: {e.Message}");
            return await ActAsync(entity, seen with { StorageSize = 0 }, connection, warnings, cancellationToken);
        }
        catch (Exception e) when (e is WeirException or BrokersUnreachableException)
        {
            // What the brokers refuse, or cannot be asked, is not done.
            return new ClusterAction(ActionKind.Wait, action?.Operation ?? "Restart", $"the brokers refuse: {e.Message}")
            {
                Broker = action?.Broker, Target = action?.Target,
            };
        }
    }

    private static async Task AlignConfigAsync(
        V1Alpha1WeirCluster entity, WeirClusterStatus status, ClusterSnapshot snapshot, ClusterConnection connection,
        List<string> warnings, CancellationToken cancellationToken)
    {
        var wanted = entity.Spec.ClusterConfig ?? [];
        var changes = ConfigDiff.Of(wanted, status.ManagedClusterConfig, snapshot.Status.Configs);
        try
        {
            if (changes.Count > 0)
            {
                var admin = await connection.GetAdminAsync(cancellationToken);
                await admin.AlterClusterAsync(changes, ct: cancellationToken);
                connection.Invalidate();
            }

            status.ManagedClusterConfig = wanted.Count > 0 ? [.. wanted.Keys.Order(StringComparer.Ordinal)] : null;
        }
        catch (Exception e) when (e is WeirException or BrokersUnreachableException)
        {
            warnings.Add($"clusterConfig: {e.Message}");
        }
    }

    private async Task WriteAsync(
        V1Alpha1WeirCluster entity, WeirClusterStatus status, ClusterPass pass, CancellationToken cancellationToken)
    {
        var before = statuses.Known(entity);
        ClusterStatusBuilder.Show(status, pass);
        var conditions = ClusterStatusBuilder.Judge(status, pass).ToList();
        await statuses.WriteAsync(entity, status, conditions, cancellationToken);
        if (pass.Action is { Kind: not ActionKind.Wait } action)
        {
            OperatorLog.ClusterStep(runtime.Logger, pass.Seen.Names.Cluster, action.Operation, action.Step, action.Message);
            await events.PublishAsync(
                entity, EventType.Normal, action.Kind.ToString(),
                string.Create(CultureInfo.InvariantCulture, $"{action.Operation}: {action.Message}"), cancellationToken);
        }

        if (status.Find(ConditionTypes.Ready) is { Status: "True" } && before.Find(ConditionTypes.Ready) is not { Status: "True" })
        {
            OnServing(pass.Seen.Names.Cluster);
        }
    }
}
