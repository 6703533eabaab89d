using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;

namespace Weir.Client.Metadata;

/// <summary>What a client needs to use a topic, as brokers told it. Immutable once it is in the catalog.</summary>
internal sealed class TopicSnapshot
{
    /// <summary>Bytes of a produce frame around its batch, with room for fields added later.</summary>
    private const int FrameOverheadBytes = 512;

    private readonly int[] _leaderEpochs;

    public TopicSnapshot(TopicInfo info, int maxFrameBytes)
    {
        Name = info.Name;
        Id = info.TopicId;
        Kind = info.Kind;
        Seed = info.PartitionerSeed;
        KeyPartitions = info.KeyPartitions > 0 ? Math.Min(info.KeyPartitions, info.Partitions.Length) : info.Partitions.Length;
        Partitioner = info.Partitioner;
        var frame = Math.Min(maxFrameBytes, ProtocolLimits.FrameBytes) - FrameOverheadBytes;
        MaxBatchBytes = Math.Max(Math.Min(info.MaxBatchBytes, frame), RecordBatchHeader.Size + RecordReader.MinRecordBytes);
        Leaders = new int[info.Partitions.Length];
        _leaderEpochs = new int[info.Partitions.Length];
        foreach (var partition in info.Partitions)
        {
            if ((uint)partition.Partition < (uint)Leaders.Length)
            {
                Leaders[partition.Partition] = partition.Leader;
                _leaderEpochs[partition.Partition] = partition.LeaderEpoch;
            }
        }
    }

    public string Name { get; }

    public Guid Id { get; }

    public TopicKind Kind { get; }

    public long Seed { get; }

    /// <summary>Keys are spread over the first so many partitions.</summary>
    public int KeyPartitions { get; }

    public Partitioner Partitioner { get; }

    /// <summary>Largest batch that topic and broker take.</summary>
    public int MaxBatchBytes { get; }

    /// <summary>Node id of each partition's leader, -1 if it has none.</summary>
    public int[] Leaders { get; }

    public int PartitionCount => Leaders.Length;

    /// <summary>
    /// Keeps what is known of a later leadership: a broker that has been out of touch tells of the past, and who believes it goes
    /// back to a leader that is none any more.
    /// </summary>
    public void KeepLaterLeaders(TopicSnapshot known)
    {
        if (known.Id != Id)
        {
            return;
        }

        for (var i = 0; i < Math.Min(PartitionCount, known.PartitionCount); i++)
        {
            if (known._leaderEpochs[i] > _leaderEpochs[i])
            {
                Leaders[i] = known.Leaders[i];
                _leaderEpochs[i] = known._leaderEpochs[i];
            }
        }
    }
}
