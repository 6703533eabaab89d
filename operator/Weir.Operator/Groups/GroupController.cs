using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Operator.Topics;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Operator.Groups;

/// <summary>Keeps consumer groups as their resources say, and shows how far behind they are.</summary>
internal sealed class GroupController(
    BrokerAccess access, ResourceStore<V1Alpha1ConsumerGroup> groups, FinalizerWriter<V1Alpha1ConsumerGroup> finalizers,
    StatusWriter<V1Alpha1ConsumerGroup, ConsumerGroupSpec, ConsumerGroupStatus> statuses)
    : IEntityController<V1Alpha1ConsumerGroup>
{
    private const int MaxSteps = 4;

    /// <summary>How often the lag is asked for, and at most written.</summary>
    public static readonly TimeSpan LagInterval = TimeSpan.FromSeconds(30);

    /// <summary>What stands in the claim index for a group.</summary>
    public static IEnumerable<string> ClaimsOf(V1Alpha1ConsumerGroup group) =>
        [ClaimIndex.Of(ClusterLookup.KeyOf(group.Spec.ClusterRef, group.Metadata.NamespaceProperty), GroupIntent.NameOf(group))];

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1ConsumerGroup>> ReconcileAsync(
        V1Alpha1ConsumerGroup entity, CancellationToken cancellationToken)
    {
        var status = StatusWriter<V1Alpha1ConsumerGroup, ConsumerGroupSpec, ConsumerGroupStatus>.Copy(statuses.Known(entity));
        var intent = GroupIntent.Read(entity, out var faults);
        status.GroupName = intent.Name;
        status.Selector = entity.Spec.ConsumerSelector is { Count: > 0 } labels
            ? string.Join(',', labels.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => $"{pair.Key}={pair.Value}"))
            : null;
        if (Annotations.IsPaused(entity))
        {
            Condition[] conditions =
            [
                .. (statuses.Known(entity)?.Conditions ?? []).Where(static condition => condition.Type != ConditionTypes.Paused),
                StatusConditions.Create(ConditionTypes.Paused, true, "Annotation", $"the annotation {Annotations.Pause} is set"),
            ];
            await statuses.WriteAsync(entity, status, conditions, cancellationToken);
            return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity);
        }

        if (FindObstacle(entity, intent, faults, out var cluster) is { } obstacle)
        {
            return await StopAsync(entity, status, obstacle, cancellationToken);
        }

        try
        {
            return await AlignAsync(entity, status, intent, access.Pool.Of(cluster!), cancellationToken);
        }
        catch (Exception e) when (e is WeirException or BrokersUnreachableException)
        {
            return await FailAsync(entity, status, e, access.Pool.Of(cluster!), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public Task<ReconciliationResult<V1Alpha1ConsumerGroup>> DeletedAsync(
        V1Alpha1ConsumerGroup entity, CancellationToken cancellationToken)
    {
        ShowLag(entity, null);
        statuses.Forget(entity);
        return Task.FromResult(ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity));
    }

    private Condition? FindObstacle(
        V1Alpha1ConsumerGroup entity, GroupIntent intent, IReadOnlyList<string> faults, out V1Alpha1WeirCluster? cluster)
    {
        var clusterKey = ClusterLookup.KeyOf(entity.Spec.ClusterRef, entity.Metadata.NamespaceProperty);
        cluster = access.Clusters.Find(clusterKey);
        if (faults.Count > 0)
        {
            return StatusConditions.Create(ConditionTypes.Ready, false, "InvalidSpec", string.Join("; ", faults));
        }

        var may = ClusterLookup.Check(cluster, entity.Metadata.NamespaceProperty);
        if (may != ClusterAccess.Allowed)
        {
            return ClusterLookup.Explain(may, clusterKey);
        }

        var owner = ClaimIndex.OwnerOf(groups.Find(ClaimIndex.Name, ClaimsOf(entity).First()).DefaultIfEmpty(entity));
        return owner.Metadata.Uid == entity.Metadata.Uid
            ? null
            : StatusConditions.Create(
                ConditionTypes.Ready, false, "Conflict",
                $"ConsumerGroup {ObjectKey.Of(owner)} is older and stands for '{intent.Name}' of {clusterKey} already");
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroup>> AlignAsync(
        V1Alpha1ConsumerGroup entity, ConsumerGroupStatus status, GroupIntent intent, ClusterConnection connection,
        CancellationToken cancellationToken)
    {
        var isDelete = entity.Spec.DeletionPolicy == "Delete";
        if (isDelete)
        {
            await finalizers.AddAsync(entity, GroupFinalizer.Name, cancellationToken);
        }

        var snapshot = await connection.GetSnapshotAsync(access.SnapshotAge, cancellationToken);
        var live = snapshot.Groups.GetValueOrDefault(intent.Name);
        var admin = await connection.GetAdminAsync(cancellationToken);
        for (var step = 0; ; step++)
        {
            var plan = GroupPlanner.Plan(intent, entity.Spec, status, live, WasCreating(entity));
            if (plan.Step == GroupStep.Refuse)
            {
                return await StopAsync(
                    entity, status, StatusConditions.Create(ConditionTypes.Ready, false, plan.Reason, plan.Message),
                    cancellationToken);
            }

            if (plan.Step == GroupStep.None)
            {
                break;
            }

            if (step == MaxSteps)
            {
                await statuses.WriteAsync(
                    entity, status, [StatusConditions.Create(ConditionTypes.Ready, null, "Applying", plan.Message)],
                    cancellationToken);
                return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity, access.RetryAfter);
            }

            await CarryOutAsync(entity, status, intent, plan, admin, cancellationToken);
            connection.Invalidate();
            live = (await admin.DescribeGroupAsync(intent.Name, cancellationToken)).Declaration;
        }

        if (!isDelete)
        {
            await finalizers.RemoveAsync(entity, GroupFinalizer.Name, cancellationToken);
        }

        status.GroupId = live!.GroupId.ToString();
        status.ManagedConfig = intent.Configs.Count > 0 ? [.. intent.Configs.Keys.Order(StringComparer.Ordinal)] : null;
        LagFigures.Show(status, await admin.DescribeGroupAsync(intent.Name, cancellationToken));
        ShowLag(entity, status.Lag);
        var ready = StatusConditions.Create(ConditionTypes.Ready, true, "Synced", "the group is as specified");
        Condition[] all = LagFigures.Judge(entity.Spec.Lag, status.Lag) is { } lag ? [ready, lag] : [ready];
        await statuses.WriteAsync(entity, status, all, cancellationToken);
        return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity, LagInterval);
    }

    private async Task CarryOutAsync(
        V1Alpha1ConsumerGroup entity, ConsumerGroupStatus status, GroupIntent intent, GroupPlan plan, WeirAdmin admin,
        CancellationToken cancellationToken)
    {
        OperatorLog.GroupChanged(access.Runtime.Logger, ObjectKey.Of(entity), $"{plan.Step}: {plan.Message}");
        var known = statuses.Known(entity);
        var isDrift = known is { GroupId: not null } && known.ObservedGeneration == entity.Metadata.Generation && !plan.IsAdoption;
        if (plan.Step == GroupStep.Alter)
        {
            await admin.AlterGroupAsync(intent.Name, plan.Change!, cancellationToken);
        }
        else
        {
            if (entity.Spec.AdoptionPolicy == "Never" && !WasCreating(entity))
            {
                await statuses.WriteAsync(
                    entity, status, [StatusConditions.Create(ConditionTypes.Ready, false, "Creating", "it is being declared")],
                    cancellationToken);
            }

            var created = await admin.CreateGroupAsync(intent.Name, ToClientSpec(intent), cancellationToken);
            status.GroupId = created.GroupId.ToString();
        }

        if (isDrift)
        {
            access.Runtime.Metrics.CountDrift("ConsumerGroup");
        }

        await access.Events.PublishAsync(
            entity, isDrift ? EventType.Warning : EventType.Normal,
            isDrift ? "DriftCorrected" : plan.Step == GroupStep.Create ? "Created" : "Altered",
            $"{intent.Name}: {plan.Message}", cancellationToken);
    }

    private bool WasCreating(V1Alpha1ConsumerGroup entity) =>
        statuses.Known(entity).Find(ConditionTypes.Ready) is { Reason: "Creating" };

    private static GroupSpec ToClientSpec(GroupIntent intent) => new()
    {
        Mode = intent.Mode ?? GroupMode.Stream,
        Topics = intent.Topics,
        Start = intent.Start,
        DeadLetterTopic = intent.DeadLetterTopic,
        Owner = intent.Owner,
        Configs = intent.Configs.ToDictionary(static pair => pair.Key, static pair => (string?)pair.Value),
    };

    private void ShowLag(V1Alpha1ConsumerGroup entity, LagStatus? lag) => access.Runtime.Metrics.SetLag(
        entity.Metadata.NamespaceProperty, entity.Metadata.Name, lag?.Records, lag?.AgeSeconds);

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroup>> StopAsync(
        V1Alpha1ConsumerGroup entity, ConsumerGroupStatus status, Condition condition, CancellationToken cancellationToken)
    {
        ShowLag(entity, null);
        if (entity.Spec.DeletionPolicy != "Delete")
        {
            await finalizers.RemoveAsync(entity, GroupFinalizer.Name, cancellationToken);
        }

        if (await statuses.WriteAsync(entity, status, [condition], cancellationToken))
        {
            await access.Events.PublishAsync(entity, EventType.Warning, condition.Reason, condition.Message, cancellationToken);
        }

        return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity);
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroup>> FailAsync(
        V1Alpha1ConsumerGroup entity, ConsumerGroupStatus status, Exception e, ClusterConnection connection,
        CancellationToken cancellationToken)
    {
        ShowLag(entity, null);
        if (e is WeirException { Code: ErrorCode.UnknownGroup or ErrorCode.GroupExists })
        {
            connection.Invalidate();
            return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity, TimeSpan.FromSeconds(1));
        }

        var condition = BrokerFaults.ToCondition(e);
        if (await statuses.WriteAsync(entity, status, [condition], cancellationToken) && !BrokerFaults.IsPassing(e))
        {
            await access.Events.PublishAsync(entity, EventType.Warning, condition.Reason, condition.Message, cancellationToken);
        }

        // A topic that it names may come any time.
        return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity, access.RetryAfter);
    }
}
