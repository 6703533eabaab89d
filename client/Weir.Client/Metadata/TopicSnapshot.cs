using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;

namespace Weir.Client.Metadata;

/// <summary>What a client needs to use a topic, as one broker told it. Immutable.</summary>
internal sealed class TopicSnapshot
{
    /// <summary>Bytes of a produce frame around its batch, with room for fields added later.</summary>
    private const int FrameOverheadBytes = 256;

    public TopicSnapshot(TopicInfo info, int maxFrameBytes)
    {
        Name = info.Name;
        Id = info.TopicId;
        Seed = info.PartitionerSeed;
        Partitioner = info.Partitioner;
        var frame = Math.Min(maxFrameBytes, ProtocolLimits.FrameBytes) - FrameOverheadBytes;
        MaxBatchBytes = Math.Max(Math.Min(info.MaxBatchBytes, frame), RecordBatchHeader.Size + RecordReader.MinRecordBytes);
        Leaders = new int[info.Partitions.Length];
        foreach (var partition in info.Partitions)
        {
            if ((uint)partition.Partition < (uint)Leaders.Length)
            {
                Leaders[partition.Partition] = partition.Leader;
            }
        }
    }

    public string Name { get; }

    public Guid Id { get; }

    public long Seed { get; }

    public Partitioner Partitioner { get; }

    /// <summary>Largest batch that topic and broker take.</summary>
    public int MaxBatchBytes { get; }

    /// <summary>Node id of each partition's leader, -1 if it has none.</summary>
    public int[] Leaders { get; }

    public int PartitionCount => Leaders.Length;
}
