using System.Diagnostics;
using Weir.Client;
using Xunit;
using Xunit.Sdk;

namespace Weir.Cluster.Tests.Harness;

/// <summary>Waits for what other processes bring about, and says what was waited for if it does not come.</summary>
public static class Eventually
{
    /// <summary>For what takes a broker's start, an election or a reconnect, on a machine that is busy with other tests too.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Waits until a condition holds. One that fails by an assertion, the client or the network counts as not holding yet;
    /// the last such failure is told at the end.
    /// </summary>
    /// <param name="phase">What is waited for, as it stands in the failure.</param>
    /// <param name="condition">Its token ends with the deadline.</param>
    /// <param name="deadline">Null for <see cref="Patience"/>.</param>
    /// <param name="state">What else the failure shall show; called only then.</param>
    public static async Task HoldsAsync(
        string phase, Func<CancellationToken, Task<bool>> condition, TimeSpan? deadline = null, Func<string>? state = null)
    {
        var limit = deadline ?? Patience;
        var start = Stopwatch.GetTimestamp();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        stop.CancelAfter(limit);
        Exception? last = null;
        while (Stopwatch.GetElapsedTime(start) < limit)
        {
            try
            {
                if (await condition(stop.Token))
                {
                    return;
                }

                last = null;
                await Task.Delay(Interval, TimeProvider.System, stop.Token);
            }
            catch (Exception e) when (e is WeirException or XunitException or IOException
                or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
                last = e is OperationCanceledException ? last : e;
            }
        }

        Assert.Fail($"not within {limit.TotalSeconds:0.#} s: {phase}\n{last}\n{state?.Invoke()}");
    }

    /// <inheritdoc cref="HoldsAsync(string, Func{CancellationToken, Task{bool}}, TimeSpan?, Func{string})"/>
    public static Task HoldsAsync(
        string phase, Func<bool> condition, TimeSpan? deadline = null, Func<string>? state = null) =>
        HoldsAsync(phase, _ => Task.FromResult(condition()), deadline, state);
}
