namespace Weir.Client.Producing;

/// <summary>Opens when every batch that was added to it has an outcome. Thread-safe.</summary>
internal sealed class FlushBarrier
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = 1;

    public Task Opened => _opened.Task;

    /// <summary>Adds one batch. Called before <see cref="Arrive"/> of the one that set the barrier up.</summary>
    public void Add() => Interlocked.Increment(ref _left);

    /// <summary>One batch has its outcome, or the setting up is done.</summary>
    public void Arrive()
    {
        if (Interlocked.Decrement(ref _left) == 0)
        {
            _opened.TrySetResult();
        }
    }
}
