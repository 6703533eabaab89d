using Weir.Metadata.Quorum;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Replication.Partitions;

/// <summary>
/// Brings what the leaders of this broker want as in-sync replicas to the controller: one request at a time, which holds all
/// that is wanted. Thread-safe.
/// </summary>
internal sealed class IsrUpdater(
    int self, ReplicaTable replicas, IReplicaHost host, IPeerNetwork network, ReplicationOptions options,
    Func<int> controller, Func<long> brokerEpoch, Func<int, long> lastFetchMs)
{
    private const int IntervalMs = 100;
    private const int MaxPerRequest = 10_000;
    private readonly Lock _gate = new();
    private bool _isInFlight;
    private long _nextMs;

    /// <summary>Looks for leaders that want a change, now and then.</summary>
    public void Tick()
    {
        AlterPartitionsRequest request;
        lock (_gate)
        {
            if (_isInFlight || host.NowMs < _nextMs || controller() < 0 || brokerEpoch() < 0)
            {
                return;
            }

            _nextMs = host.NowMs + IntervalMs;
            var wanted = Collect();
            if (wanted.Count == 0)
            {
                return;
            }

            _isInFlight = true;
            request = new AlterPartitionsRequest { NodeId = self, BrokerEpoch = brokerEpoch(), Partitions = [.. wanted] };
        }

        network.Send<AlterPartitionsRequest, AlterPartitionsResponse>(
            controller(), request, options.RequestTimeoutMs, reply => OnReply(request, reply));
    }

    private List<PartitionAlteration> Collect()
    {
        var wanted = new List<PartitionAlteration>();
        foreach (var replica in replicas.All)
        {
            if (replica.Role != ReplicaRole.Leader || wanted.Count == MaxPerRequest)
            {
                continue;
            }

            // One that was not answered is asked again as it was: it may have been committed.
            if (replica.PendingProposal() is { } pending)
            {
                wanted.Add(pending);
            }
            else if (replica.ProposeIsr(host.NowMs, options.ReplicaLagMs, lastFetchMs) is { } proposed)
            {
                ReplicationEvents.IsrProposed(
                    host.Logger, replica.Identity.ToString(), string.Join(",", proposed.Isr.Select(static member => member.NodeId)),
                    string.Join(",", replica.State!.Isr));
                wanted.Add(proposed);
            }
        }

        wanted.Sort(static (one, other) => (one.TopicId, one.Partition).CompareTo((other.TopicId, other.Partition)));
        return wanted;
    }

    private void OnReply(AlterPartitionsRequest request, PeerReply<AlterPartitionsResponse> reply)
    {
        lock (_gate)
        {
            _isInFlight = false;
            if (reply.Response is null)
            {
                _nextMs = host.NowMs + options.RetryMs;
            }
        }

        if (reply.Response is not { } response)
        {
            return;
        }

        for (var i = 0; i < Math.Min(request.Partitions.Length, response.Partitions.Length); i++)
        {
            var asked = request.Partitions[i];
            replicas.Find(new LogIdentity(asked.TopicId, asked.Partition))?.OnAltered(asked, response.Partitions[i]);
        }
    }
}
