using Microsoft.Extensions.Logging;
using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;
using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Metadata.Tests;

/// <summary>Records, requests, images and logs that are the same in every run.</summary>
internal static class TestMetadata
{
    public const int NodeId = 7;
    public const long NowMs = 1_800_000_000_000;
    public const ulong Seed = 42;

    /// <summary>Snapshots after every third record and segments of about two batches: everything happens soon.</summary>
    public static MetadataLogOptions Tight(ulong seed = Seed)
    {
        var random = new SeededRandom(seed);
        return new MetadataLogOptions
        {
            RecordsPerSnapshot = 3,
            SegmentBytes = 600,
            Random = destination =>
            {
                foreach (ref var next in destination)
                {
                    next = (byte)random.Next(256);
                }
            },
        };
    }

    public static LoneController Open(
        ILogFiles files, MetadataLogOptions? options = null, ILogger? logger = null, int maxPartitions = 100_000) =>
        LoneController.Open(files, new MetadataController(maxPartitions), logger ?? new ListLogger(), options ?? Tight());

    public static QuorumStore OpenStore(ILogFiles files, MetadataLogOptions? options = null, ILogger? logger = null) =>
        QuorumStore.Open(files, logger ?? new ListLogger(), options ?? Tight());

    /// <summary>Appends one change, flushes and commits it.</summary>
    public static void Write(QuorumStore store, params IMetadataRecord[] records)
    {
        store.Append(store.State.Epoch, records, store.EndOffset, NowMs);
        Assert.True(store.Flush(NowMs));
        store.Commit(store.EndOffset);
    }

    /// <summary>A store in epoch 1 with a cluster and some topics, each committed on its own; what it says at last.</summary>
    public static string Fill(SimulatedDisk disk, int topics, MetadataLogOptions? options = null)
    {
        using var store = OpenStore(disk, options);
        store.SaveState(new QuorumState(1, NodeId, Directory(NodeId)));
        Write(store, Cluster());
        for (var i = 0; i < topics; i++)
        {
            Write(store, Topic(TopicId(i), $"t{i}"));
        }

        return Print(store.Latest);
    }

    public static Guid TopicId(int number) => new(number, 3, 0, new byte[8]);

    /// <summary>Everything an image says, as bytes: equal images have equal ones.</summary>
    /// <remarks>But for the epochs of the quorum, of which each start begins another.</remarks>
    public static string Print(MetadataImage image) => string.Join(
        '\n',
        image.ToSnapshot().Where(static record => record is not EpochStarted)
            .Select(static record => Convert.ToHexStringLower(MetadataRecordCodec.Encode(record))));

    public static CreateTopicRequest Create(string name, int partitions = 1, params ConfigEntry[] configs) =>
        new() { Name = name, Partitions = partitions, Configs = configs };

    public static AlterTopicRequest Alter(string name, int partitions = 0, params ConfigEntry[] configs) =>
        new() { Name = name, Partitions = partitions, Configs = configs };

    public static ConfigEntry Entry(string name, string? value) => new() { Name = name, Value = value };

    public static MetadataImage Apply(params IMetadataRecord[] records) =>
        records.Aggregate(MetadataImage.Empty, static (image, record) => image.Apply(record));

    public static ClusterCreated Cluster() => new() { ClusterId = "c", CreatedAtMs = NowMs };

    public static TopicCreated Topic(Guid topicId, string name, int partitions = 1) => new()
    {
        TopicId = topicId,
        Name = name,
        CreatedAtMs = NowMs,
        PartitionerSeed = 5,
        Partitions = [.. Enumerable.Range(0, partitions).Select(Partition)],
    };

    public static PartitionAssignment Partition(int index) =>
        new() { Index = index, Leader = NodeId, LeaderEpoch = 0, Replicas = [NodeId], Isr = [NodeId] };

    /// <summary>The records of a broker that runs: registered and not fenced.</summary>
    public static IMetadataRecord[] Broker(int nodeId, string? rack = null, long epoch = 1) =>
    [
        new BrokerRegistered
        {
            NodeId = nodeId,
            BrokerEpoch = epoch,
            IncarnationId = new Guid(nodeId, 1, 0, new byte[8]),
            DirectoryId = Directory(nodeId),
            Host = "h",
            Port = 9092,
            Rack = rack,
            Version = "1",
        },
        new BrokerStateChanged { NodeId = nodeId, BrokerEpoch = epoch },
    ];

    /// <summary>The identity of a broker's data directory, a new one for each time that it was wiped.</summary>
    public static Guid Directory(int nodeId, int wiped = 0) => new(nodeId, 2, (short)wiped, new byte[8]);
}

/// <summary>Keeps what was logged at Warning or above.</summary>
internal sealed class ListLogger : ILogger
{
    public List<string> Warnings { get; } = [];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            Warnings.Add(formatter(state, exception));
        }
    }
}
