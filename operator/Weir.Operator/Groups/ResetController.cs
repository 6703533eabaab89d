using System.Security.Cryptography;
using System.Text;
using k8s;
using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Operator.Topics;

namespace Weir.Operator.Groups;

/// <summary>
/// Carries out resets, each at most once. That it begins is written before it is sent: one that was cut off in between is not
/// sent again, as the group may have gone on since, but reported as failed.
/// </summary>
internal sealed class ResetController(
    BrokerAccess access, KubeResource<V1Alpha1ConsumerGroupReset> resets,
    StatusWriter<V1Alpha1ConsumerGroupReset, ConsumerGroupResetSpec, ConsumerGroupResetStatus> statuses)
    : IEntityController<V1Alpha1ConsumerGroupReset>
{
    private const int MaxOffsets = 1000;

    /// <summary>What a specification is told by, however it is written.</summary>
    public static string HashOf(ConsumerGroupResetSpec spec) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(KubernetesJson.Serialize(spec))))[..16];

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> ReconcileAsync(
        V1Alpha1ConsumerGroupReset entity, CancellationToken cancellationToken)
    {
        var known = statuses.Known(entity);
        if (known?.Phase is "Succeeded" or "Failed")
        {
            return await FinishAsync(entity, known, cancellationToken);
        }

        if (Annotations.IsPaused(entity))
        {
            return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity);
        }

        // The cache may be behind: what this decides must not be decided twice.
        if (await resets.GetAsync(ObjectKey.Of(entity), cancellationToken) is not { } live
            || live.Metadata.Uid != entity.Metadata.Uid || live.Metadata.DeletionTimestamp is not null)
        {
            return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity);
        }

        if (live.Status?.Phase is "Succeeded" or "Failed")
        {
            return await FinishAsync(live, live.Status, cancellationToken);
        }

        var status = StatusWriter<V1Alpha1ConsumerGroupReset, ConsumerGroupResetSpec, ConsumerGroupResetStatus>.Copy(live.Status);
        if (status.Phase == "Running")
        {
            return await EndAsync(
                live, status, "Interrupted", "the operator was cut off after it had begun: the offsets may be moved or not; look "
                    + "at the group, and create another reset if that is needed", cancellationToken);
        }

        return await TryAsync(live, status, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> DeletedAsync(
        V1Alpha1ConsumerGroupReset entity, CancellationToken cancellationToken)
    {
        statuses.Forget(entity);
        return Task.FromResult(ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity));
    }

    /// <summary>Reads a specification; the API server may be too old to have checked it.</summary>
    internal static GroupResetSpec? Read(ConsumerGroupResetSpec spec, out string fault)
    {
        ResetTarget? to = spec.To.Position switch
        {
            "earliest" => ResetTarget.Earliest,
            "latest" => ResetTarget.Latest,
            "offset" when spec.To.Offset is >= 0 => ResetTarget.AtOffset(spec.To.Offset.Value),
            "timestamp" when spec.To.Timestamp is { } time =>
                ResetTarget.AtTimestamp(new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc))),
            "shift" when spec.To.Shift is { } shift => ResetTarget.By(shift),
            _ => null,
        };
        fault = to is null ? $"to: '{spec.To.Position}' needs its value, or is none of earliest, latest, offset, timestamp, shift"
            : string.IsNullOrEmpty(spec.Group) ? "group: must be given"
            : spec.Precondition is not (null or "Empty" or "Fence") ? $"precondition: '{spec.Precondition}' is none of Empty, Fence"
            : spec.Partition is not null && spec.Topic is null ? "partition: only together with topic"
            : string.Empty;
        return fault.Length > 0 ? null : new GroupResetSpec
        {
            To = to!.Value,
            Topic = spec.Topic,
            Partition = spec.Partition,
            DryRun = spec.DryRun,
            Force = spec.Precondition == "Fence",
        };
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> TryAsync(
        V1Alpha1ConsumerGroupReset entity, ConsumerGroupResetStatus status, CancellationToken cancellationToken)
    {
        if (Read(entity.Spec, out var fault) is not { } spec)
        {
            return await EndAsync(entity, status, "InvalidSpec", fault, cancellationToken);
        }

        var clusterKey = ClusterLookup.KeyOf(entity.Spec.ClusterRef, entity.Metadata.NamespaceProperty);
        var cluster = access.Clusters.Find(clusterKey);
        var may = ClusterLookup.Check(cluster, entity.Metadata.NamespaceProperty);
        if (may != ClusterAccess.Allowed)
        {
            return await PostponeAsync(entity, status, ClusterLookup.Explain(may, clusterKey), cancellationToken);
        }

        try
        {
            // A dry run first: whatever would be refused is refused before anything is said to have begun.
            var admin = await access.Pool.Of(cluster!).GetAdminAsync(cancellationToken);
            spec.DryRun = true;
            var offsets = await admin.ResetGroupAsync(entity.Spec.Group, spec, cancellationToken);
            if (!entity.Spec.DryRun)
            {
                status.Phase = "Running";
                status.StartedAt = StatusConditions.ToSeconds(access.Runtime.Time.GetUtcNow());
                status.SpecHash = HashOf(entity.Spec);
                await statuses.WriteAsync(
                    entity, status, [StatusConditions.Create(ConditionTypes.Ready, false, "Running", "it was sent")],
                    cancellationToken);
                spec.DryRun = false;
                return await RunAsync(entity, status, spec, admin, cancellationToken);
            }

            return await SucceedAsync(entity, status, offsets, cancellationToken);
        }
        catch (Exception e) when (BrokerFaults.IsPassing(e) && status.Phase != "Running")
        {
            return await PostponeAsync(entity, status, BrokerFaults.ToCondition(e), cancellationToken);
        }
        catch (WeirException e) when (status.Phase != "Running")
        {
            return await EndAsync(entity, status, e.Code.ToString(), $"{e.Message} {e.Advice}", cancellationToken);
        }
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> RunAsync(
        V1Alpha1ConsumerGroupReset entity, ConsumerGroupResetStatus status, GroupResetSpec spec, WeirAdmin admin,
        CancellationToken cancellationToken)
    {
        try
        {
            var offsets = await admin.ResetGroupAsync(entity.Spec.Group, spec, cancellationToken);
            return await SucceedAsync(entity, status, offsets, cancellationToken);
        }
        catch (WeirException e)
        {
            var doubt = BrokerFaults.IsPassing(e) ? " It may have taken effect nevertheless." : string.Empty;
            return await EndAsync(entity, status, e.Code.ToString(), $"{e.Message}{doubt}", cancellationToken);
        }
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> SucceedAsync(
        V1Alpha1ConsumerGroupReset entity, ConsumerGroupResetStatus status, IReadOnlyList<ResetOffsets> offsets,
        CancellationToken cancellationToken)
    {
        var now = StatusConditions.ToSeconds(access.Runtime.Time.GetUtcNow());
        status.Phase = "Succeeded";
        status.StartedAt ??= now;
        status.CompletedAt = now;
        status.SpecHash = HashOf(entity.Spec);
        status.PartitionCount = offsets.Count;
        status.Offsets =
        [
            .. offsets.Take(MaxOffsets).Select(static offset => new ResetOffsetStatus
            {
                Topic = offset.Topic, Partition = offset.Partition, Before = offset.Before, After = offset.After,
            }),
        ];
        var message = entity.Spec.DryRun
            ? $"{offsets.Count} partitions would be moved; nothing was changed"
            : $"{offsets.Count} partitions were moved";
        await statuses.WriteAsync(
            entity, status,
            [StatusConditions.Create(ConditionTypes.Ready, true, entity.Spec.DryRun ? "DryRun" : "Succeeded", message)],
            cancellationToken);
        await access.Events.PublishAsync(entity, EventType.Normal, "Succeeded", message, cancellationToken);
        OperatorLog.GroupChanged(access.Runtime.Logger, ObjectKey.Of(entity), message);
        return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity, Ttl(entity));
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> EndAsync(
        V1Alpha1ConsumerGroupReset entity, ConsumerGroupResetStatus status, string reason, string message,
        CancellationToken cancellationToken)
    {
        status.Phase = "Failed";
        status.CompletedAt = StatusConditions.ToSeconds(access.Runtime.Time.GetUtcNow());
        status.SpecHash = HashOf(entity.Spec);
        await statuses.WriteAsync(
            entity, status, [StatusConditions.Create(ConditionTypes.Ready, false, reason, message)], cancellationToken);
        await access.Events.PublishAsync(entity, EventType.Warning, reason, message, cancellationToken);
        return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity, Ttl(entity));
    }

    private async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> PostponeAsync(
        V1Alpha1ConsumerGroupReset entity, ConsumerGroupResetStatus status, Condition condition,
        CancellationToken cancellationToken)
    {
        status.Phase = "Pending";
        await statuses.WriteAsync(entity, status, [condition], cancellationToken);
        return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity, access.RetryAfter);
    }

    /// <summary>A reset that is done is only looked at for its end of life, and for changes that come too late.</summary>
    private async Task<ReconciliationResult<V1Alpha1ConsumerGroupReset>> FinishAsync(
        V1Alpha1ConsumerGroupReset entity, ConsumerGroupResetStatus known, CancellationToken cancellationToken)
    {
        if (entity.Spec.TtlSecondsAfterFinished is { } seconds && known.CompletedAt is { } completed)
        {
            var left = new DateTimeOffset(DateTime.SpecifyKind(completed, DateTimeKind.Utc)).AddSeconds(seconds)
                - access.Runtime.Time.GetUtcNow();
            if (left <= TimeSpan.Zero)
            {
                await resets.DeleteAsync(ObjectKey.Of(entity), entity.Metadata.Uid, orphan: false, cancellationToken);
                return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity);
            }

            return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity, left);
        }

        if (known.SpecHash is { } hash && hash != HashOf(entity.Spec))
        {
            var status = StatusWriter<V1Alpha1ConsumerGroupReset, ConsumerGroupResetSpec, ConsumerGroupResetStatus>.Copy(known);
            await statuses.WriteAsync(
                entity, status,
                [
                    StatusConditions.Create(
                        ConditionTypes.Ready, false, "Immutable", "it was changed after its end; that has no effect: create another one"),
                ],
                cancellationToken);
        }

        return ReconciliationResult<V1Alpha1ConsumerGroupReset>.Success(entity);
    }

    private static TimeSpan? Ttl(V1Alpha1ConsumerGroupReset entity) =>
        entity.Spec.TtlSecondsAfterFinished is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
}
