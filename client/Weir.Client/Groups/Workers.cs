namespace Weir.Client.Groups;

/// <summary>Several loops of the same kind as one task.</summary>
internal static class Workers
{
    /// <summary>Runs so many loops; the first that fails ends the others, and its exception is the task's.</summary>
    public static async Task RunAsync(Func<CancellationToken, Task> loop, int count, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Exception? first = null;
        await Task.WhenAll(Enumerable.Range(0, count).Select(_ => Task.Run(
            async () =>
            {
                try
                {
                    await loop(stop.Token).ConfigureAwait(false);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref first, e, null);
                    await stop.CancelAsync().ConfigureAwait(false);
                }
            },
            CancellationToken.None))).ConfigureAwait(false);
        ct.ThrowIfCancellationRequested();
        if (first is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }
    }
}
