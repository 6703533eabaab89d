using System.Collections.Concurrent;
using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using TopicSpec = Weir.Operator.Entities.TopicSpec;

namespace Weir.Operator.Topics;

/// <summary>What the controllers of topics and groups share.</summary>
/// <param name="Clusters">The clusters that are known.</param>
/// <param name="Pool">Their connections.</param>
/// <param name="Events">Tells people.</param>
/// <param name="Runtime">Time, figures and log.</param>
internal sealed record BrokerAccess(
    ResourceStore<V1Alpha1WeirCluster> Clusters, BrokerPool Pool, EventRecorder Events, OperatorRuntime Runtime)
{
    /// <summary>How old the state of a cluster may be that a pass goes by.</summary>
    public TimeSpan SnapshotAge { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a topic's settings and sizes are asked for, which takes a request per topic.</summary>
    public TimeSpan DetailAge { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>When a resource is looked at again after a passing fault.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Keeps topics as their resources say.</summary>
internal sealed class TopicController(
    BrokerAccess access, ResourceStore<V1Alpha1Topic> topics, FinalizerWriter<V1Alpha1Topic> finalizers,
    StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus> statuses) : IEntityController<V1Alpha1Topic>
{
    private const int MaxSteps = 4;
    private readonly ConcurrentDictionary<string, Detail> _details = new();

    /// <summary>What stands in the claim index for a topic.</summary>
    public static IEnumerable<string> ClaimsOf(V1Alpha1Topic topic) =>
        [ClaimIndex.Of(ClusterLookup.KeyOf(topic.Spec.ClusterRef, topic.Metadata.NamespaceProperty), TopicIntent.NameOf(topic))];

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1Topic>> ReconcileAsync(
        V1Alpha1Topic entity, CancellationToken cancellationToken)
    {
        var status = StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus>.Copy(statuses.Known(entity));
        var intent = TopicIntent.Read(entity, out var faults);
        status.TopicName = intent.Name;
        if (Annotations.IsPaused(entity))
        {
            return await PauseAsync(entity, status, cancellationToken);
        }

        if (faults.Count > 0)
        {
            return await StopAsync(
                entity, status, StatusConditions.Create(ConditionTypes.Ready, false, "InvalidSpec", string.Join("; ", faults)),
                cancellationToken);
        }

        var clusterKey = ClusterLookup.KeyOf(entity.Spec.ClusterRef, entity.Metadata.NamespaceProperty);
        var cluster = access.Clusters.Find(clusterKey);
        var may = ClusterLookup.Check(cluster, entity.Metadata.NamespaceProperty);
        if (may != ClusterAccess.Allowed)
        {
            return await StopAsync(entity, status, ClusterLookup.Explain(may, clusterKey), cancellationToken);
        }

        var owner = ClaimIndex.OwnerOf(topics.Find(ClaimIndex.Name, ClaimsOf(entity).First()).DefaultIfEmpty(entity));
        if (owner.Metadata.Uid != entity.Metadata.Uid)
        {
            return await StopAsync(
                entity, status,
                StatusConditions.Create(
                    ConditionTypes.Ready, false, "Conflict",
                    $"Topic {ObjectKey.Of(owner)} is older and stands for '{intent.Name}' of {clusterKey} already"),
                cancellationToken);
        }

        try
        {
            return await AlignAsync(entity, status, intent, access.Pool.Of(cluster!), cancellationToken);
        }
        catch (Exception e) when (e is WeirException or BrokersUnreachableException)
        {
            return await FailAsync(entity, status, e, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public Task<ReconciliationResult<V1Alpha1Topic>> DeletedAsync(V1Alpha1Topic entity, CancellationToken cancellationToken)
    {
        _details.TryRemove(entity.Metadata.Uid ?? string.Empty, out _);
        statuses.Forget(entity);
        return Task.FromResult(ReconciliationResult<V1Alpha1Topic>.Success(entity));
    }

    private async Task<ReconciliationResult<V1Alpha1Topic>> AlignAsync(
        V1Alpha1Topic entity, TopicStatus status, TopicIntent intent, ClusterConnection connection,
        CancellationToken cancellationToken)
    {
        var isDelete = entity.Spec.DeletionPolicy == "Delete";
        if (isDelete)
        {
            // Before anything is made that it must take away.
            await finalizers.AddAsync(entity, TopicFinalizer.Name, cancellationToken);
        }

        var snapshot = await connection.GetSnapshotAsync(access.SnapshotAge, cancellationToken);
        var summary = snapshot.Topics.GetValueOrDefault(intent.Name);
        var isMoving = snapshot.Status.Reassigning > 0;
        for (var step = 0; ; step++)
        {
            var detail = summary is null ? null : await DescribeAsync(entity, summary, connection, cancellationToken);
            var live = summary is null ? null : ToView(summary, detail?.Configs, isMoving);
            var plan = TopicPlanner.Plan(intent, entity.Spec, status, live, WasCreating(entity));
            if (plan.Step is TopicStep.Refuse)
            {
                Show(status, summary, detail);
                return await StopAsync(
                    entity, status, StatusConditions.Create(ConditionTypes.Ready, false, plan.Reason, plan.Message),
                    cancellationToken);
            }

            if (plan.Step is not TopicStep.None)
            {
                if (step < MaxSteps)
                {
                    await CarryOutAsync(entity, status, intent, plan, connection, cancellationToken);
                    isMoving |= plan.Step is TopicStep.ChangeReplicas;
                    summary = await connection.RefreshTopicAsync(intent.Name, cancellationToken);
                }

                if (step < MaxSteps && summary is not null)
                {
                    continue;
                }

                // The brokers have accepted it, and do not all show it yet.
                await statuses.WriteAsync(
                    entity, status, [StatusConditions.Create(ConditionTypes.Ready, null, "Applying", plan.Message)],
                    cancellationToken);
                return ReconciliationResult<V1Alpha1Topic>.Success(entity, access.RetryAfter);
            }

            if (!isDelete)
            {
                await finalizers.RemoveAsync(entity, TopicFinalizer.Name, cancellationToken);
            }

            status.TopicId = summary?.TopicId.ToString();
            status.ManagedConfig = intent.Configs.Count > 0 ? [.. intent.Configs.Keys.Order(StringComparer.Ordinal)] : null;
            status.ReplicasChange = ReplicasChangeOf(intent, live);
            Show(status, summary, detail);
            await statuses.WriteAsync(entity, status, [Judge(status)], cancellationToken);
            return ReconciliationResult<V1Alpha1Topic>.Success(entity);
        }
    }

    private async Task CarryOutAsync(
        V1Alpha1Topic entity, TopicStatus status, TopicIntent intent, TopicPlan plan, ClusterConnection connection,
        CancellationToken cancellationToken)
    {
        var admin = await connection.GetAdminAsync(cancellationToken);
        OperatorLog.TopicChanged(access.Runtime.Logger, ObjectKey.Of(entity), $"{plan.Step}: {plan.Message}");
        _details.TryRemove(entity.Metadata.Uid ?? string.Empty, out _);
        switch (plan.Step)
        {
            case TopicStep.Create:
                if (entity.Spec.AdoptionPolicy == "Never" && !WasCreating(entity))
                {
                    // Whoever finds the topic after a crash shall know whose it is.
                    await statuses.WriteAsync(
                        entity, status, [StatusConditions.Create(ConditionTypes.Ready, false, "Creating", "it is being created")],
                        cancellationToken);
                }

                var created = await admin.CreateTopicAsync(intent.Name, ToClientSpec(intent), cancellationToken);
                var before = status.TopicId;
                status.TopicId = created.TopicId.ToString();
                await PublishAsync(
                    entity, before is null ? EventType.Normal : EventType.Warning, before is null ? "Created" : "Recreated",
                    $"created topic {intent.Name}: {plan.Message}", cancellationToken);
                if (before is not null)
                {
                    access.Runtime.Metrics.CountDrift("Topic");
                }

                break;
            case TopicStep.Alter:
                await admin.AlterTopicAsync(intent.Name, plan.Partitions, plan.Configs, cancellationToken);
                await ReportChangeAsync(entity, plan, cancellationToken);
                break;
            case TopicStep.ChangeReplicas:
                await admin.Cluster.ChangeReplicationFactorAsync(
                    intent.Name, (short)intent.Replicas!.Value, ct: cancellationToken);
                connection.Invalidate();
                status.ReplicasChange = new ReplicasChange { Target = intent.Replicas };
                await ReportChangeAsync(entity, plan, cancellationToken);
                break;
        }
    }

    private async Task ReportChangeAsync(V1Alpha1Topic entity, TopicPlan plan, CancellationToken cancellationToken)
    {
        var known = statuses.Known(entity);
        var isDrift = known is { TopicId: not null } && known.ObservedGeneration == entity.Metadata.Generation && !plan.IsAdoption;
        if (isDrift)
        {
            access.Runtime.Metrics.CountDrift("Topic");
        }

        await PublishAsync(
            entity, isDrift ? EventType.Warning : EventType.Normal, isDrift ? "DriftCorrected" : "Altered", plan.Message,
            cancellationToken);
    }

    private async Task<TopicDescription?> DescribeAsync(
        V1Alpha1Topic entity, TopicSummary summary, ClusterConnection connection, CancellationToken cancellationToken)
    {
        var uid = entity.Metadata.Uid ?? string.Empty;
        var now = access.Runtime.Time.GetTimestamp();
        if (_details.TryGetValue(uid, out var known) && known.Generation == entity.Metadata.Generation
            && known.Description.TopicId == summary.TopicId && access.Runtime.Time.GetElapsedTime(known.At) < known.Life)
        {
            return known.Description;
        }

        var admin = await connection.GetAdminAsync(cancellationToken);
        var description = await admin.DescribeTopicAsync(summary.Name, cancellationToken);

        // Not all at the same moment.
        var life = access.DetailAge * (0.75 + 0.5 * access.Runtime.Random());
        _details[uid] = new Detail(description, entity.Metadata.Generation, now, life);
        return description;
    }

    private bool WasCreating(V1Alpha1Topic entity) =>
        statuses.Known(entity).Find(ConditionTypes.Ready) is { Reason: "Creating" };

    private static TopicView ToView(TopicSummary summary, IReadOnlyList<ConfigValue>? configs, bool isMoving) => new(
        summary.TopicId, summary.Kind, [.. summary.Partitions.Select(static partition => partition.Replicas.Count)], configs,
        isMoving);

    private static Weir.Client.TopicSpec ToClientSpec(TopicIntent intent) => new()
    {
        Kind = intent.Kind ?? TopicKind.Event,
        Partitions = intent.Partitions ?? 1,
        ReplicationFactor = (short)(intent.Replicas ?? -1),
        Configs = intent.Configs.ToDictionary(static pair => pair.Key, static pair => (string?)pair.Value),
    };

    private static ReplicasChange? ReplicasChangeOf(TopicIntent intent, TopicView? live) =>
        intent.Replicas is { } target && live?.Replicas.Count(count => count != target) is > 0 and var pending
            ? new ReplicasChange { Target = target, PendingPartitions = pending }
            : null;

    private static void Show(TopicStatus status, TopicSummary? summary, TopicDescription? detail)
    {
        status.Kind = summary?.Kind.ToString().ToLowerInvariant();
        status.Partitions = summary?.Partitions.Count;
        status.Replicas = summary is { Partitions.Count: > 0 } ? summary.Partitions.Min(static p => p.Replicas.Count) : null;
        status.Durability = summary?.Durability.ToString().ToLowerInvariant();
        status.OfflinePartitions = summary?.Partitions.Count(static partition => partition.Leader < 0);
        status.UnderReplicatedPartitions = summary?.Partitions.Count(static p => p.Isr.Count < p.Replicas.Count);
        status.SizeBytes = detail?.Partitions.Sum(static partition => partition.SizeBytes);
        status.Records = detail?.Partitions.Sum(static p => Math.Max(0, p.HighWatermark - p.LogStartOffset));
    }

    private static Condition Judge(TopicStatus status)
    {
        if (status.OfflinePartitions > 0)
        {
            return StatusConditions.Create(
                ConditionTypes.Ready, false, "PartitionsOffline", $"{status.OfflinePartitions} partitions have no leader");
        }

        return status.ReplicasChange is { } change
            ? StatusConditions.Create(
                ConditionTypes.Ready, true, "ReplicasMoving",
                $"{change.PendingPartitions} partitions do not have {change.Target} replicas yet")
            : StatusConditions.Create(ConditionTypes.Ready, true, "Synced", "the topic is as specified");
    }

    private async Task<ReconciliationResult<V1Alpha1Topic>> PauseAsync(
        V1Alpha1Topic entity, TopicStatus status, CancellationToken cancellationToken)
    {
        Condition[] conditions =
        [
            .. (statuses.Known(entity)?.Conditions ?? []).Where(static condition => condition.Type != ConditionTypes.Paused),
            StatusConditions.Create(ConditionTypes.Paused, true, "Annotation", $"the annotation {Annotations.Pause} is set"),
        ];
        await statuses.WriteAsync(entity, status, conditions, cancellationToken);
        return ReconciliationResult<V1Alpha1Topic>.Success(entity);
    }

    /// <summary>Nothing more can be done until something else changes.</summary>
    private async Task<ReconciliationResult<V1Alpha1Topic>> StopAsync(
        V1Alpha1Topic entity, TopicStatus status, Condition condition, CancellationToken cancellationToken)
    {
        if (entity.Spec.DeletionPolicy != "Delete")
        {
            await finalizers.RemoveAsync(entity, TopicFinalizer.Name, cancellationToken);
        }

        if (await statuses.WriteAsync(entity, status, [condition], cancellationToken))
        {
            await PublishAsync(entity, EventType.Warning, condition.Reason, condition.Message, cancellationToken);
        }

        return ReconciliationResult<V1Alpha1Topic>.Success(entity);
    }

    private async Task<ReconciliationResult<V1Alpha1Topic>> FailAsync(
        V1Alpha1Topic entity, TopicStatus status, Exception e, CancellationToken cancellationToken)
    {
        if (e is WeirException { Code: ErrorCode.UnknownTopic or ErrorCode.TopicExists })
        {
            // What is known of the cluster was not so any more.
            access.Pool.Of(access.Clusters.Find(
                ClusterLookup.KeyOf(entity.Spec.ClusterRef, entity.Metadata.NamespaceProperty))!).Invalidate();
        }

        var condition = BrokerFaults.ToCondition(e);
        if (await statuses.WriteAsync(entity, status, [condition], cancellationToken) && !BrokerFaults.IsPassing(e))
        {
            await PublishAsync(entity, EventType.Warning, condition.Reason, condition.Message, cancellationToken);
        }

        return BrokerFaults.IsPassing(e)
            ? ReconciliationResult<V1Alpha1Topic>.Success(entity, access.RetryAfter)
            : ReconciliationResult<V1Alpha1Topic>.Success(entity);
    }

    private Task PublishAsync(
        V1Alpha1Topic entity, EventType type, string reason, string message, CancellationToken cancellationToken) =>
        access.Events.PublishAsync(entity, type, reason, message, cancellationToken);

    private sealed record Detail(TopicDescription Description, long? Generation, long At, TimeSpan Life);
}
