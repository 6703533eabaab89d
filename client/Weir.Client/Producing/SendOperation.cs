using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;
using Weir.Client.Connections;

namespace Weir.Client.Producing;

/// <summary>One awaited record: a pooled source of a <see cref="ValueTask{TResult}"/>.</summary>
internal sealed class SendOperation : IValueTaskSource<SendResult>, IDeferredCompletion
{
    private readonly SendOperationPool _pool;
    private ManualResetValueTaskSourceCore<SendResult> _core;
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancellation;
    private SendResult _result;
    private WeirException? _error;
    private int _isSettled;
    private bool _isCancelled;

    public SendOperation(SendOperationPool pool) => _pool = pool;

    /// <summary>The record's place in its batch.</summary>
    public int Index { get; set; }

    /// <summary>The task of this use of the object.</summary>
    public ValueTask<SendResult> Task => new(this, _core.Version);

    /// <summary>
    /// Lets a token end the waiting; the record goes on. Called after the record is buffered and before the task is
    /// handed out.
    /// </summary>
    public void StopWaitingOn(CancellationToken ct)
    {
        _cancellation = ct;
        _registration = ct.UnsafeRegister(static state => ((SendOperation)state!).Cancel(), this);
    }

    /// <summary>Stores the outcome; if true, <see cref="Complete"/> must follow.</summary>
    public bool TrySettle(in SendResult result)
    {
        if (Interlocked.Exchange(ref _isSettled, 1) != 0)
        {
            return false;
        }

        _result = result;
        return true;
    }

    /// <summary>Stores the failure; if true, <see cref="Complete"/> must follow.</summary>
    public bool TrySettle(WeirException error)
    {
        if (Interlocked.Exchange(ref _isSettled, 1) != 0)
        {
            return false;
        }

        _error = error;
        return true;
    }

    public void Complete(bool inline)
    {
        _core.RunContinuationsAsynchronously = !inline;
        if (_error is { } error)
        {
            _core.SetException(error);
        }
        else
        {
            _core.SetResult(_result);
        }
    }

    public SendResult GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            // A cancelled one is still referred to by its batch, one whose token is just firing by that token.
            var isFree = _registration == default || _registration.Unregister();
            if (!_isCancelled && isFree)
            {
                Reset();
                _pool.Return(this);
            }
        }
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    /// <summary>Makes the object as new; also for one whose record was never buffered.</summary>
    public void Reset()
    {
        _core.Reset();
        _registration = default;
        _cancellation = default;
        _error = null;
        _isSettled = 0;
    }

    private void Cancel()
    {
        if (Interlocked.Exchange(ref _isSettled, 1) == 0)
        {
            _isCancelled = true;
            _core.RunContinuationsAsynchronously = true;
            _core.SetException(new OperationCanceledException(_cancellation));
        }
    }
}

/// <summary>Keeps operations for reuse, up to a bound. Thread-safe.</summary>
internal sealed class SendOperationPool
{
    private const int MaxKept = 4096;

    private readonly ConcurrentQueue<SendOperation> _kept = [];
    private int _count;

    public SendOperation Rent()
    {
        if (_kept.TryDequeue(out var operation))
        {
            Interlocked.Decrement(ref _count);
            return operation;
        }

        return new SendOperation(this);
    }

    public void Return(SendOperation operation)
    {
        if (Interlocked.Increment(ref _count) <= MaxKept)
        {
            _kept.Enqueue(operation);
        }
        else
        {
            Interlocked.Decrement(ref _count);
        }
    }
}
