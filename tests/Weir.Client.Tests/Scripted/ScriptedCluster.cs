using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Scripted;

/// <summary>What a scripted broker does with a produce request.</summary>
internal readonly record struct Fate(ErrorCode Error, bool Appends, bool Answers)
{
    /// <summary>As a broker would.</summary>
    public static Fate Usual { get; } = new(ErrorCode.None, true, true);

    /// <summary>Refused before anything happens.</summary>
    public static Fate Refused(ErrorCode error) => new(error, false, true);

    /// <summary>Appended, and answered with an error nevertheless.</summary>
    public static Fate AppendedBut(ErrorCode error) => new(error, true, true);

    /// <summary>Appended or not, and never answered.</summary>
    public static Fate Silent(bool appends) => new(ErrorCode.None, appends, false);
}

/// <summary>
/// Brokers in this process that speak the protocol and share one topic "t" in memory: leaders move, brokers stop and drain
/// as a test says. They do not replicate: what one appended, all have.
/// </summary>
internal sealed class ScriptedCluster : IAsyncDisposable
{
    private long _producerId;

    public ScriptedCluster(int brokers, int partitions = 1)
    {
        Partitions = [.. Enumerable.Range(0, partitions).Select(index => new ScriptedPartition(index))];
        Brokers = [.. Enumerable.Range(1, brokers).Select(id => new ScriptedBroker(this, id))];
        foreach (var broker in Brokers)
        {
            broker.Start();
        }
    }

    public Lock Lock { get; } = new();

    public Guid TopicId { get; } = Guid.NewGuid();

    public ScriptedPartition[] Partitions { get; }

    public List<ScriptedBroker> Brokers { get; }

    /// <summary>All addresses, as a client is given them.</summary>
    public string Servers => string.Join(',', Brokers.Select(broker => broker.Address));

    /// <summary>Decides about produce requests at their leader; called under the lock.</summary>
    public Func<ScriptedBroker, ScriptedPartition, Fate> OnProduce { get; set; } = (_, _) => Fate.Usual;

    /// <summary>Changes a batch on its way to consumers.</summary>
    public Action<byte[]> OnDeliver { get; set; } = _ => { };

    /// <summary>Decides about subscriptions at their leader.</summary>
    public Func<SubscribeRequest, ErrorCode> OnSubscribe { get; set; } = _ => ErrorCode.None;

    /// <summary>Decides about every other request, by its name.</summary>
    public Func<ScriptedBroker, object, ErrorCode> OnRequest { get; set; } = (_, _) => ErrorCode.None;

    /// <summary>Metadata that were asked for.</summary>
    public int MetadataRequests { get; set; }

    public ScriptedBroker this[int nodeId] => Brokers[nodeId - 1];

    public Task<WeirClient> ConnectAsync(Action<WeirClientOptions>? configure = null)
    {
        var options = new WeirClientOptions { Servers = Servers };
        configure?.Invoke(options);
        return WeirClient.ConnectAsync(options, TestContext.Current.CancellationToken);
    }

    public long NextProducerId() => ++_producerId;

    /// <summary>Makes another broker the leader; the subscriptions at the old one end.</summary>
    public void Move(int partition, int leader, bool endsSubscriptions = true)
    {
        lock (Lock)
        {
            var moved = Partitions[partition];
            moved.Leader = leader;
            moved.LeaderEpoch++;
            if (endsSubscriptions)
            {
                Brokers.ForEach(broker => broker.EndSubscriptions(partition, ErrorCode.NotLeader));
            }
        }
    }

    public TopicInfo Describe() => new()
    {
        Name = "t",
        TopicId = TopicId,
        Kind = TopicKind.Event,
        Durability = Durability.Replicated,
        Partitioner = Partitioner.XxHash3,
        MaxBatchBytes = 1 << 20,
        Partitions = [.. Partitions.Select(partition => new PartitionInfo
        {
            Partition = partition.Index,
            Leader = partition.Leader,
            LeaderEpoch = partition.LeaderEpoch,
            Replicas = [.. Brokers.Select(broker => broker.NodeId)],
            Isr = [.. Brokers.Select(broker => broker.NodeId)],
        })],
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var broker in Brokers)
        {
            await broker.StopAsync();
        }
    }
}
