namespace Weir.Client.Groups;

/// <summary>Several loops of the same kind as one task: the first that fails ends the others.</summary>
internal sealed class Workers(CancellationToken ct) : IDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
    private Exception? _first;

    /// <summary>Ends with the caller's token, or with the first failure.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>Runs so many loops to their end.</summary>
    /// <exception cref="Exception">That of the first loop that failed.</exception>
    public async Task RunAsync(Func<Task> loop, int count)
    {
        await Task.WhenAll(Enumerable.Range(0, count).Select(_ => Task.Run(() => RunAsync(loop), CancellationToken.None))).ConfigureAwait(false);
        ct.ThrowIfCancellationRequested();
        if (_first is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_first);
        }
    }

    /// <summary>Has all loops end because of a failure.</summary>
    public Task FailAsync(Exception failure)
    {
        Interlocked.CompareExchange(ref _first, failure, null);
        return _stop.CancelAsync();
    }

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(Func<Task> loop)
    {
        try
        {
            await loop().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await FailAsync(e).ConfigureAwait(false);
        }
    }
}
