using Microsoft.Extensions.Logging;
using Weir.Protocol.Errors;

namespace Weir.Client.Connections;

/// <summary>
/// The way to one broker: its present connection, and one attempt at a time to get another when that ended, with growing waits
/// between attempts. An address is used until it fails; then the next one is. Thread-safe.
/// </summary>
internal sealed class BrokerLink(
    int nodeId, ServerAddress[] addresses, string clusterId, WeirClientOptions options, ILogger logger, CancellationToken closing)
{
    private readonly Lock _lock = new();
    private ServerAddress[] _addresses = addresses;
    private ServerAddress? _advertised;
    private BrokerConnection? _connection;
    private Task<BrokerConnection>? _attempt;
    private int _failures;
    private int _turn;

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

    /// <summary>Where the broker says that it listens. An address that was dialed before goes first: it is known to work from here.</summary>
    public void Learn(ServerAddress advertised)
    {
        lock (_lock)
        {
            if (_advertised != advertised)
            {
                _addresses = [.. _addresses.Where(address => address != _advertised && address != advertised), advertised];
                _advertised = advertised;
            }
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
        ServerAddress address = default;
        try
        {
            await WaitAsync().ConfigureAwait(false);
            while (true)
            {
                address = Current();
                try
                {
                    return Succeed(await BrokerConnection.ConnectAsync(
                        address, nodeId, clusterId, options, logger, closing).ConfigureAwait(false));
                }
                catch (WeirException e) when (e.Code == ErrorCode.WrongNode && TryForget(address))
                {
                    // A name that leads to several brokers is a way in, not the way to one of them.
                }
            }
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

    private ServerAddress Current()
    {
        lock (_lock)
        {
            return _addresses[_turn % _addresses.Length];
        }
    }

    /// <summary>Does without an address, if it is not the broker's own one and there is another.</summary>
    private bool TryForget(ServerAddress address)
    {
        lock (_lock)
        {
            if (_advertised is null || _advertised == address)
            {
                return false;
            }

            _addresses = [.. _addresses.Where(other => other != address)];
            return true;
        }
    }

    private BrokerConnection Succeed(BrokerConnection connection)
    {
        lock (_lock)
        {
            _connection = connection;
            _attempt = null;
            _failures = 0;
        }

        return connection;
    }

    private int EndAttempt()
    {
        lock (_lock)
        {
            _attempt = null;
            _turn = (_turn + 1) & int.MaxValue;
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
