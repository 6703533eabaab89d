using Microsoft.Extensions.Logging;

namespace Weir.Client.Connections;

/// <summary>
/// The way to one broker: its present connection, and one attempt at a time to get another when that ended, at one address
/// after the other, with growing waits between attempts. Thread-safe.
/// </summary>
internal sealed class BrokerLink(
    int nodeId, ServerAddress[] addresses, string clusterId, WeirClientOptions options, ILogger logger, CancellationToken closing)
{
    private readonly Lock _lock = new();
    private BrokerConnection? _connection;
    private Task<BrokerConnection>? _attempt;
    private int _failures;
    private int _attempts;

    /// <summary>The open connection, or null.</summary>
    public BrokerConnection? Open
    {
        get
        {
            var connection = Volatile.Read(ref _connection);
            return connection is { IsOpen: true } ? connection : null;
        }
    }

    /// <summary>Takes over a connection that was made before its node id was known.</summary>
    public bool TryAdopt(BrokerConnection connection)
    {
        lock (_lock)
        {
            if (Open is not null || _attempt is not null)
            {
                return false;
            }

            _connection = connection;
            return true;
        }
    }

    /// <summary>The open connection, or the outcome of the next attempt.</summary>
    /// <exception cref="WeirException">That attempt failed.</exception>
    public ValueTask<BrokerConnection> GetAsync(CancellationToken ct)
    {
        if (Open is { } open)
        {
            return new ValueTask<BrokerConnection>(open);
        }

        Task<BrokerConnection> attempt;
        lock (_lock)
        {
            if (Open is { } other)
            {
                return new ValueTask<BrokerConnection>(other);
            }

            attempt = _attempt ??= Task.Run(ConnectAsync, CancellationToken.None);
        }

        return new ValueTask<BrokerConnection>(attempt.WaitAsync(ct));
    }

    /// <summary>Ends the present attempt and connection. The closing token is cancelled before.</summary>
    public async ValueTask CloseAsync()
    {
        Task<BrokerConnection>? attempt;
        lock (_lock)
        {
            attempt = _attempt;
        }

        if (attempt is not null)
        {
            await ((Task)attempt).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (Volatile.Read(ref _connection) is { } connection)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<BrokerConnection> ConnectAsync()
    {
        var address = addresses[(_attempts++ & int.MaxValue) % addresses.Length];
        try
        {
            await WaitAsync().ConfigureAwait(false);
            var connection = await BrokerConnection.ConnectAsync(
                address, nodeId, clusterId, options, logger, closing).ConfigureAwait(false);
            lock (_lock)
            {
                _connection = connection;
                _attempt = null;
                _failures = 0;
            }

            return connection;
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            EndAttempt();
            throw WeirException.Lost("the client was disposed");
        }
        catch (Exception e)
        {
            ClientLog.ConnectFailed(logger, address, EndAttempt(), e.Message);
            throw;
        }
    }

    private int EndAttempt()
    {
        lock (_lock)
        {
            _attempt = null;
            return ++_failures;
        }
    }

    private async Task WaitAsync()
    {
        var wait = Backoff.Delay(options.ReconnectBackoff, options.ReconnectBackoffMax, _failures);
        if (_failures == 0 && _connection is { } last)
        {
            var asked = last.ReconnectAfter;
            wait = asked < options.ReconnectBackoffMax ? asked : options.ReconnectBackoffMax;
        }

        await Task.Delay(wait, options.TimeProvider, closing).ConfigureAwait(false);
    }
}
