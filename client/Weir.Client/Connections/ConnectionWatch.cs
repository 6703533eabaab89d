using Weir.Protocol;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>
/// Finds out that a broker is gone without a word. While something is outstanding and nothing was received for a third of
/// the silence timeout it pings; after a whole silence timeout, or with a request that is far over its time, it closes the
/// connection. Owned by the connection.
/// </summary>
internal sealed class ConnectionWatch(BrokerConnection connection, WeirClientOptions options) : IReplyHandler, IDisposable
{
    private static readonly PingRequest Ping = new();

    private readonly Lock _lock = new();
    private ITimer? _timer;
    private bool _isDisposed;
    private long _seenBytes;
    private long _seenAt;
    private bool _isPinging;
    private bool _isQuiet;

    /// <summary>Whether something is awaited that does not come: ask another broker if you can.</summary>
    public bool IsQuiet => Volatile.Read(ref _isQuiet);

    /// <summary>Starts to watch.</summary>
    public void Start()
    {
        var period = TimeSpan.FromTicks(Math.Min(options.SilenceTimeout.Ticks / 6, TimeSpan.TicksPerSecond * 2));
        lock (_lock)
        {
            if (!_isDisposed)
            {
                _seenAt = connection.Time.GetTimestamp();
                _timer = connection.Time.CreateTimer(static state => ((ConnectionWatch)state!).Look(), this, period, period);
            }
        }
    }

    public void OnReply(in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later) =>
        Volatile.Write(ref _isPinging, false);

    public void OnLost(WeirException reason)
    {
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _timer?.Dispose();
        }
    }

    private void Look()
    {
        var now = connection.Time.GetTimestamp();
        var bytes = connection.ReceivedBytes;
        if (bytes != _seenBytes || !connection.HasOutstanding)
        {
            _seenBytes = bytes;
            _seenAt = now;
        }

        var silence = connection.Time.GetElapsedTime(_seenAt, now);
        Volatile.Write(ref _isQuiet, silence >= options.Patience);
        if (silence >= options.SilenceTimeout)
        {
            connection.Close(WeirException.Lost($"{connection.Address} has been silent for {silence}"));
        }
        else if (connection.HasOverdueReply(options.RequestTimeout * 1.5))
        {
            connection.Close(WeirException.Lost($"{connection.Address} left a request unanswered"));
        }
        else if (IsQuiet && !Volatile.Read(ref _isPinging))
        {
            Volatile.Write(ref _isPinging, true);
            connection.TryRequest(ApiKey.Ping, Ping, this);
        }
    }
}
