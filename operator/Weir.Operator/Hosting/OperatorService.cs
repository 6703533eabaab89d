using k8s.Models;
using Microsoft.Extensions.Hosting;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Hosting;

/// <summary>
/// Runs the operator: the caches always, the controllers while this instance leads. One that loses its leadership ends the
/// process, so that nothing of it can go on; one that is stopped gives the lease back first.
/// </summary>
internal sealed class OperatorService(
    OperatorParts parts, KubeApi api, OperatorOptions options, OperatorRuntime runtime, IHostApplicationLifetime lifetime)
    : BackgroundService
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Whether the caches are filled; not whether this instance leads.</summary>
    public bool IsReady => parts.Synced.IsCompletedSuccessfully;

    /// <summary>Set when the process shall not end well.</summary>
    public bool HasLostLeadership { get; private set; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var identity = $"{options.PodName}_{Guid.NewGuid():N}";
        OperatorLog.Started(
            runtime.Logger, options.Namespaces.Count == 0 ? "all namespaces" : string.Join(',', options.Namespaces), identity);
        var caches = parts.RunCachesAsync(stoppingToken);
        try
        {
            if (options.LeaderElection)
            {
                await LeadAsync(identity, stoppingToken);
            }
            else
            {
                runtime.Metrics.SetLeader(true);
                await parts.RunControllersAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }

        await caches;
    }

    private async Task LeadAsync(string identity, CancellationToken stoppingToken)
    {
        var elector = new LeaseElector(
            new KubeResource<V1Lease>(api),
            new LeaseOptions { Lease = new ObjectKey(options.PodNamespace, options.Lease), Identity = identity },
            runtime.Time, runtime.Logger);
        await elector.AcquireAsync(stoppingToken);
        runtime.Metrics.SetLeader(true);
        using var leading = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var work = parts.RunControllersAsync(leading.Token);
        var holding = elector.HoldAsync(stoppingToken);
        await Task.WhenAny(work, holding);
        await leading.CancelAsync();
        await work.WaitAsync(Grace, runtime.Time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        runtime.Metrics.SetLeader(false);
        if (work.IsFaulted)
        {
            OperatorLog.LeaderTaskFailed(runtime.Logger, work.Exception);
        }

        if (stoppingToken.IsCancellationRequested && work.IsCompleted)
        {
            // Only once nothing is done in its name any more.
            await elector.ReleaseAsync();
        }
        else
        {
            HasLostLeadership = true;
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }
}
