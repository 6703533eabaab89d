using System.Threading.Tasks.Sources;
using Weir.Client.Connections;

namespace Weir.Client.Consuming;

/// <summary>Wakes the one reader of an enumeration. No allocation per wait. The owner's lock guards arming and firing.</summary>
internal sealed class ReadySignal : IValueTaskSource, IDeferredCompletion
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private bool _isArmed;

    /// <summary>Starts a wait. Called under the owner's lock, with nothing ready.</summary>
    public ValueTask Arm()
    {
        _core.Reset();
        _isArmed = true;
        return new ValueTask(this, _core.Version);
    }

    /// <summary>Called under the owner's lock: whether a wait is there to be ended, by <see cref="Complete"/>, once.</summary>
    public bool TryDisarm()
    {
        var wasArmed = _isArmed;
        _isArmed = false;
        return wasArmed;
    }

    public void Complete(bool inline)
    {
        _core.RunContinuationsAsynchronously = !inline;
        _core.SetResult(true);
    }

    public void GetResult(short token) => _core.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
