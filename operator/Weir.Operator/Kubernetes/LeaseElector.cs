using System.Globalization;
using System.Text.Json.Nodes;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>How leadership is held.</summary>
internal sealed record LeaseOptions
{
    /// <summary>Name of the lease.</summary>
    public required ObjectKey Lease { get; init; }

    /// <summary>Who this instance is; another one after each start.</summary>
    public required string Identity { get; init; }

    /// <summary>A lease that was not renewed for so long may be taken.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A leader that could not renew for so long leads no more.</summary>
    public TimeSpan RenewDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time between two attempts.</summary>
    public TimeSpan RetryPeriod { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>
/// Lets one instance lead, by a Lease. Time is measured on this machine alone, from when a state of the lease was first seen: the
/// clocks of others are not trusted. A leader that cannot renew gives up before another one can take over.
/// </summary>
internal sealed class LeaseElector(KubeResource<V1Lease> leases, LeaseOptions options, TimeProvider time, ILogger logger)
{
    private string? _observed;
    private long _observedAt;
    private TimeSpan _observedDuration;

    /// <summary>Whether this instance leads.</summary>
    public bool IsLeader { get; private set; }

    /// <summary>Times that the lease went from one instance to another: grows with each leader.</summary>
    public int Transitions { get; private set; }

    /// <summary>Waits until this instance leads.</summary>
    public async Task AcquireAsync(CancellationToken cancellationToken)
    {
        while (!await TryOnceAsync(cancellationToken))
        {
            await Task.Delay(options.RetryPeriod, time, cancellationToken);
        }

        IsLeader = true;
        OperatorLog.Leads(logger, options.Identity);
    }

    /// <summary>
    /// Holds the lease until it is lost, which returns, or until the token is cancelled, which throws. The lease counts as lost
    /// when it could not be renewed for <see cref="LeaseOptions.RenewDeadline"/>, or is another's.
    /// </summary>
    public async Task HoldAsync(CancellationToken cancellationToken)
    {
        var renewed = time.GetTimestamp();
        while (true)
        {
            await Task.Delay(options.RetryPeriod, time, cancellationToken);
            var began = time.GetTimestamp();
            if (await TryOnceAsync(cancellationToken))
            {
                // From before the request: the server may have taken it at once.
                renewed = began;
            }
            else if (time.GetElapsedTime(renewed) >= options.RenewDeadline || IsOthers())
            {
                IsLeader = false;
                OperatorLog.LeadsNoMore(logger, options.Identity);
                return;
            }
        }
    }

    /// <summary>Gives the lease back, so that another instance need not wait. Never throws.</summary>
    public async Task ReleaseAsync()
    {
        if (!IsLeader)
        {
            return;
        }

        IsLeader = false;
        using var timeout = new CancellationTokenSource(options.RetryPeriod, time);
        try
        {
            if (await leases.GetAsync(options.Lease, timeout.Token) is { } lease
                && lease.Spec?.HolderIdentity == options.Identity)
            {
                await leases.ReplaceAsync(
                    options.Lease, Body(lease, string.Empty, TimeSpan.FromSeconds(1), Transitions), FieldManagers.Objects,
                    timeout.Token);
            }
        }
        catch (Exception e) when (IsFault(e))
        {
            OperatorLog.LeaseFailed(logger, options.Identity, e);
        }
    }

    private static bool IsFault(Exception e) => e is KubeApiException or HttpRequestException or IOException
        or System.Text.Json.JsonException or OperationCanceledException;

    private bool IsOthers() => _observed is { Length: > 0 } && !_observed.StartsWith(options.Identity + "|", StringComparison.Ordinal);

    /// <returns>Whether this instance has the lease.</returns>
    private async Task<bool> TryOnceAsync(CancellationToken cancellationToken)
    {
        // Two of them fit into the deadline: one that hangs must not use all of it.
        using var timeout = new CancellationTokenSource(options.RenewDeadline / 2, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await TakeOrRenewAsync(linked.Token);
        }
        catch (KubeApiException e) when (e.IsConflict)
        {
            // Another instance was quicker; the next look shows which one.
            return false;
        }
        catch (Exception e) when (IsFault(e))
        {
            cancellationToken.ThrowIfCancellationRequested();
            OperatorLog.LeaseFailed(logger, options.Identity, e);
            return false;
        }
    }

    private async Task<bool> TakeOrRenewAsync(CancellationToken cancellationToken)
    {
        if (await leases.GetAsync(options.Lease, cancellationToken) is not { } lease)
        {
            await leases.CreateAsync(
                options.Lease, Body(null, options.Identity, options.LeaseDuration, 0), FieldManagers.Objects, cancellationToken);
            Transitions = 0;
            Observe(options.Identity, null);
            return true;
        }

        var holder = lease.Spec?.HolderIdentity ?? string.Empty;
        Observe(holder, lease);
        if (holder != options.Identity)
        {
            if (holder.Length > 0 && time.GetElapsedTime(_observedAt) < _observedDuration)
            {
                return false;
            }

            Transitions = (lease.Spec?.LeaseTransitions ?? 0) + 1;
        }

        // The resource version that was read goes with it: if anybody else wrote meanwhile, this fails.
        await leases.ReplaceAsync(
            options.Lease, Body(lease, options.Identity, options.LeaseDuration, Transitions), FieldManagers.Objects,
            cancellationToken);
        return true;
    }

    private void Observe(string holder, V1Lease? lease)
    {
        var state = $"{holder}|{lease?.Spec?.RenewTime?.Ticks}|{lease?.Spec?.LeaseTransitions}";
        if (state != _observed)
        {
            _observed = holder.Length == 0 ? string.Empty : state;
            _observedAt = time.GetTimestamp();
            _observedDuration = TimeSpan.FromSeconds(
                lease?.Spec?.LeaseDurationSeconds ?? options.LeaseDuration.TotalSeconds);
        }
    }

    private JsonObject Body(V1Lease? lease, string holder, TimeSpan duration, int transitions)
    {
        var now = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
        var isNew = lease?.Spec?.HolderIdentity != holder;
        var metadata = new JsonObject();
        if (lease is not null)
        {
            metadata["resourceVersion"] = lease.Metadata.ResourceVersion;
            metadata["uid"] = lease.Metadata.Uid;
        }

        return new JsonObject
        {
            ["metadata"] = metadata,
            ["spec"] = new JsonObject
            {
                ["holderIdentity"] = holder,
                ["leaseDurationSeconds"] = (int)duration.TotalSeconds,
                ["acquireTime"] = isNew || lease?.Spec?.AcquireTime is not { } since
                    ? now
                    : since.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture),
                ["renewTime"] = now,
                ["leaseTransitions"] = transitions,
            },
        };
    }
}
