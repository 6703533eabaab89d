namespace Weir.Client.Consuming;

/// <summary>An enumerable whose work begins when it is enumerated.</summary>
internal sealed class Enumeration<T>(Func<CancellationToken, IAsyncEnumerator<T>> begin) : IAsyncEnumerable<T>
{
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default) => begin(cancellationToken);
}

/// <summary>What ends with an enumeration: its cancellation, its session, and the consumer's hold on it.</summary>
internal sealed class EnumerationScope : IAsyncDisposable
{
    private readonly WeirConsumer _consumer;
    private readonly ConsumerSession _session;
    private readonly CancellationTokenRegistration _first;
    private readonly CancellationTokenRegistration _second;

    public EnumerationScope(WeirConsumer consumer, ConsumerSession session, CancellationToken first, CancellationToken second)
    {
        _consumer = consumer;
        _session = session;
        _first = Register(first);
        _second = Register(second);
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync().ConfigureAwait(false);
        await _second.DisposeAsync().ConfigureAwait(false);
        await _session.DisposeAsync().ConfigureAwait(false);
        _consumer.End(_session);
    }

    private CancellationTokenRegistration Register(CancellationToken ct) => ct.UnsafeRegister(
        static (state, token) => ((ConsumerSession)state!).Fail(new OperationCanceledException(token)), _session);
}
