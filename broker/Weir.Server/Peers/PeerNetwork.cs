using System.Collections.Concurrent;
using Weir.Metadata.Quorum;
using Weir.Protocol.Wire;
using Weir.Server.Hosting;

namespace Weir.Server.Peers;

/// <summary>
/// The other brokers over sockets: one connection to each for metadata and one for records, so that a heartbeat never waits
/// behind megabytes. What a broker sends to itself goes straight to its own machines. Thread-safe.
/// </summary>
internal sealed class PeerNetwork : IAsyncDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMilliseconds(50);
    private readonly ConcurrentDictionary<int, PeerLink> _metadata = new();
    private readonly ConcurrentDictionary<int, PeerLink> _records = new();
    private readonly Func<int, PeerLink> _open;
    private readonly ITimer _sweeper;

    /// <param name="broker">Options, clock, logger.</param>
    /// <param name="identity">Who this broker is.</param>
    /// <param name="credentials">How it proves that.</param>
    /// <param name="address">Where a broker is reached; null if that is not known.</param>
    /// <param name="onUnreachable">Told of a broker to which no connection can be opened.</param>
    public PeerNetwork(
        BrokerContext broker, BrokerIdentity identity, PeerCredentials credentials,
        Func<int, (string Host, int Port)?> address, Action<int> onUnreachable)
    {
        _open = id => new PeerLink(id, () => address(id), broker, identity, credentials, onUnreachable);
        _sweeper = broker.Time.CreateTimer(_ => Sweep(), null, SweepInterval, SweepInterval);
    }

    /// <summary>The connection for metadata.</summary>
    public PeerLink Metadata(int nodeId) => _metadata.GetOrAdd(nodeId, _open);

    /// <summary>The connection for records.</summary>
    public PeerLink Records(int nodeId) => _records.GetOrAdd(nodeId, _open);

    public async ValueTask DisposeAsync()
    {
        await _sweeper.DisposeAsync().ConfigureAwait(false);
        foreach (var link in _metadata.Values.Concat(_records.Values))
        {
            await link.DisposeAsync().ConfigureAwait(false);
        }
    }

    private void Sweep()
    {
        foreach (var (_, link) in _metadata)
        {
            link.Sweep();
        }

        foreach (var (_, link) in _records)
        {
            link.Sweep();
        }
    }
}

/// <summary>The network as quorum, controller and session see it: replies come on the metadata loop, with bytes of their own.</summary>
internal sealed class MetadataPeers(int self, PeerNetwork network, MetadataLoop loop) : IPeerNetwork
{
    public void Send<TRequest, TResponse>(int nodeId, TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new()
    {
        if (nodeId == self)
        {
            loop.Receive(request, onReply);
            return;
        }

        network.Metadata(nodeId).Send<TRequest, TResponse>(request, timeoutMs, reply =>
        {
            PeerApis.Own(reply.Response);
            loop.Post(() => onReply(reply));
        });
    }
}

/// <summary>The network as replicas see it: replies come on the receiving thread, with borrowed bytes.</summary>
internal sealed class ReplicaPeers(int self, PeerNetwork network, MetadataLoop loop) : IPeerNetwork
{
    public void Send<TRequest, TResponse>(int nodeId, TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new()
    {
        if (nodeId == self)
        {
            loop.Receive(request, onReply);
        }
        else if (PeerApis.IsForRecords(request))
        {
            network.Records(nodeId).Send(request, timeoutMs, onReply);
        }
        else
        {
            network.Metadata(nodeId).Send(request, timeoutMs, onReply);
        }
    }
}
