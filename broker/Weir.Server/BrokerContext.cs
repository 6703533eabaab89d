using Microsoft.Extensions.Logging;
using Weir.Replication.Partitions;
using Weir.Server.Diagnostics;
using Weir.Server.Handlers;
using Weir.Server.Options;
using Weir.Server.Transport;

namespace Weir.Server;

/// <summary>What connections and handlers share. Made once by <see cref="Hosting.Broker"/>.</summary>
internal sealed class BrokerContext
{
    public required BrokerOptions Options { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }

    public required BrokerMetrics Metrics { get; init; }

    public required ReceiveBudget ReceiveBudget { get; init; }

    public required FlushProgress FlushProgress { get; init; }

    public HandlerTable Handlers { get; set; } = HandlerTable.Empty;

    /// <summary>Told of damage that was met while records were read for a client.</summary>
    public Action<Replica, long> OnDamage { get; set; } = static (_, _) => { };

    public long NowMs => Time.GetUtcNow().ToUnixTimeMilliseconds();
}

/// <summary>Lets those wait who need the next flush: for room in memory or in a connection's window.</summary>
internal sealed class FlushProgress
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the next flush, or at the latest after a short while.</summary>
    public Task WaitAsync() => Volatile.Read(ref _next).Task;

    /// <summary>Called after each flush, and now and then without one.</summary>
    public void Advance() =>
        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))
            .TrySetResult();
}
