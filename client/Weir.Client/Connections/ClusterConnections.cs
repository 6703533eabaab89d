using Microsoft.Extensions.Logging;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>The brokers of the cluster and the one connection to each. Thread-safe.</summary>
internal sealed class ClusterConnections : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, BrokerLink> _links = [];
    private readonly WeirClientOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationToken _closingToken;
    private readonly ServerAddress[] _servers;
    private bool _isClosed;

    public ClusterConnections(WeirClientOptions options, ILogger logger)
    {
        _options = options;
        _logger = logger;
        _closingToken = _closing.Token;
        _ = ServerAddress.TryParseList(options.Servers, out _servers, out _);
    }

    /// <summary>The cluster, known once a broker has answered.</summary>
    public string ClusterId { get; private set; } = string.Empty;

    public WeirClientOptions Options => _options;

    public ILogger Logger => _logger;

    public TimeProvider Time => _options.TimeProvider;

    /// <summary>Cancelled when the client is disposed.</summary>
    public CancellationToken Closing => _closingToken;

    /// <summary>Connects to the first server that answers.</summary>
    public Task<BrokerConnection> ConnectFirstAsync(CancellationToken ct) =>
        Staggered.FirstAsync([.. _servers.Select(server => (Func<Task<BrokerConnection>>)(() => ConnectAsync(server, ct)))],
            _options.Patience, Time, ct);

    /// <summary>A connection to any broker; one attempt per broker that is known if none is open.</summary>
    public async ValueTask<BrokerConnection> GetAnyAsync(CancellationToken ct)
    {
        var links = Links();
        BrokerConnection? quiet = null;
        foreach (var link in links)
        {
            if (link.Open is { IsQuiet: false } open)
            {
                return open;
            }

            quiet ??= link.Open;
        }

        var unopened = links.Where(static link => link.Open is null).ToList();
        try
        {
            if (unopened.Count > 0)
            {
                return await Staggered.FirstAsync(
                    [.. unopened.Select(link => (Func<Task<BrokerConnection>>)(() => link.GetAsync(ct).AsTask()))],
                    _options.Patience, Time, ct).ConfigureAwait(false);
            }
        }
        catch (WeirException) when (quiet is not null || links.Length > 1 || _servers.Length > 1)
        {
            // Logged by the links; a server of the list may answer.
        }

        return quiet ?? await ConnectFirstAsync(ct).ConfigureAwait(false);
    }

    /// <summary>The open connection to one broker, or null.</summary>
    public BrokerConnection? OpenNode(int nodeId)
    {
        lock (_lock)
        {
            return _links.TryGetValue(nodeId, out var link) ? link.Open : null;
        }
    }

    /// <summary>The connection to one broker, after at most one attempt.</summary>
    public ValueTask<BrokerConnection> GetNodeAsync(int nodeId, CancellationToken ct)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(WeirClient));
            if (_links.TryGetValue(nodeId, out var link))
            {
                return link.GetAsync(ct);
            }
        }

        throw new WeirException(ErrorCode.NotLeader, $"node {nodeId} is not among the brokers that are known");
    }

    /// <summary>Learns where brokers listen.</summary>
    public void Learn(BrokerInfo[] brokers)
    {
        lock (_lock)
        {
            foreach (var broker in _isClosed ? [] : brokers)
            {
                var address = new ServerAddress(broker.Host, broker.Port);
                if (!_links.TryGetValue(broker.NodeId, out var link))
                {
                    _links.Add(broker.NodeId, link = NewLink(broker.NodeId, address));
                }

                if (!_options.ThroughServers)
                {
                    link.Learn(address);
                }
            }
        }
    }

    /// <summary>Sends a request to any broker, again after retriable errors as long as the request timeout lasts.</summary>
    /// <param name="request">The request.</param>
    /// <param name="isRepeatable">Whether doing it twice is the same as doing it once.</param>
    /// <param name="ct">Ends the waiting.</param>
    public Task<TResponse> RequestAnyAsync<TRequest, TResponse>(TRequest request, bool isRepeatable, CancellationToken ct)
        where TRequest : IRequest<TResponse>
        where TResponse : IMessage, new() =>
        RequestAsync<TRequest, TResponse>(GetAnyAsync, request, isRepeatable, ct);

    /// <summary>As <see cref="RequestAnyAsync"/>, to the broker that <paramref name="connect"/> finds.</summary>
    public async Task<TResponse> RequestAsync<TRequest, TResponse>(
        Func<CancellationToken, ValueTask<BrokerConnection>> connect, TRequest request, bool isRepeatable,
        CancellationToken ct)
        where TRequest : IRequest<TResponse>
        where TResponse : IMessage, new()
    {
        var start = Time.GetTimestamp();
        for (var failures = 0; ;)
        {
            var wasSent = false;
            TimeSpan wait;
            try
            {
                ObjectDisposedException.ThrowIf(_isClosed, typeof(WeirClient));
                var connection = await connect(ct).ConfigureAwait(false);
                wasSent = true;
                return await connection.RequestAsync<TRequest, TResponse>(
                    request, _options.RequestTimeout, ct).ConfigureAwait(false);
            }
            catch (WeirException e) when (e.IsRetriable && (isRepeatable || !wasSent))
            {
                wait = Backoff.Delay(_options.ReconnectBackoff, _options.ReconnectBackoffMax, ++failures);
                wait = wait > e.RetryAfter ? wait : e.RetryAfter;
                if (_isClosed || Time.GetElapsedTime(start) + wait >= _options.RequestTimeout)
                {
                    throw;
                }
            }

            await Task.Delay(wait, Time, ct).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        await _closing.CancelAsync().ConfigureAwait(false);
        foreach (var link in Links())
        {
            await link.CloseAsync().ConfigureAwait(false);
        }

        _closing.Dispose();
    }

    private async Task<BrokerConnection> ConnectAsync(ServerAddress server, CancellationToken ct)
    {
        var expected = _options.ClusterId ?? (ClusterId.Length > 0 ? ClusterId : null);
        var connection = await BrokerConnection.ConnectAsync(
            server, -1, expected, _options, _logger, ct).ConfigureAwait(false);
        ClusterId = connection.Hello.ClusterId;
        return await AdoptAsync(connection).ConfigureAwait(false);
    }

    private BrokerLink[] Links()
    {
        lock (_lock)
        {
            return [.. _links.Values];
        }
    }

    private BrokerLink NewLink(int nodeId, ServerAddress address) =>
        new(nodeId, _options.ThroughServers ? _servers : [address], ClusterId, _options, _logger, _closingToken);

    private async ValueTask<BrokerConnection> AdoptAsync(BrokerConnection connection)
    {
        BrokerLink link;
        bool adopted;
        lock (_lock)
        {
            var nodeId = connection.Hello.NodeId;
            if (!_links.TryGetValue(nodeId, out link!))
            {
                _links.Add(nodeId, link = NewLink(nodeId, connection.Address));
            }

            adopted = !_isClosed && link.TryAdopt(connection);
        }

        if (adopted)
        {
            return connection;
        }

        await connection.DisposeAsync().ConfigureAwait(false);
        return await link.GetAsync(CancellationToken.None).ConfigureAwait(false);
    }
}
