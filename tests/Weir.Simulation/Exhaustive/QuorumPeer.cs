using Microsoft.Extensions.Logging.Abstractions;
using Weir.Metadata;
using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Testing.Support;

namespace Weir.Simulation.Exhaustive;

/// <summary>A voter of the metadata quorum in a search.</summary>
internal sealed class QuorumPeer(QuorumModel model, int nodeId, SimulatedDisk disk) : SearchNode(model, nodeId, disk)
{
    private QuorumStore? _store;

    public QuorumNode Quorum { get; private set; } = null!;

    public QuorumStore Store => _store!;

    /// <inheritdoc/>
    public override bool NeedsFlush => Quorum.NeedsFlush;

    /// <summary>Its log with what only its memory has.</summary>
    public LogShape Log => LogShape.Read(Store.FindEpochEnd, Store.LastEpoch, Store.EndOffset);

    public static Guid DirectoryOf(int nodeId) => new(nodeId, 0, 0, new byte[8]);

    public override void Flush()
    {
        Store.Flush(0);
        Quorum.OnFlushed(Model.NowMs);
    }

    public override void Close()
    {
        if (!Disk.IsOff)
        {
            _store?.Dispose();
        }
    }

    /// <summary>Appends a record that no other one is like.</summary>
    public void Publish(int number) =>
        Quorum.Append([new ProducerIdsReserved { NextProducerId = Quorum.Latest.NextProducerId + 1 + number }], Model.NowMs);

    /// <inheritdoc/>
    protected override void Open()
    {
        Disk.CreateDirectory("partitions");
        Disk.SyncDirectory(string.Empty);
        var options = new MetadataLogOptions { RecordsPerSnapshot = 1_000_000, SegmentBytes = 256 * 1024 };
        _store = QuorumStore.Open(Disk, NullLogger.Instance, options);
        Quorum = new QuorumNode(
            new QuorumMember(NodeId, DirectoryOf(NodeId), $"node{NodeId}", 9650), model.Configured, _store, this, model.Settings,
            static () => 0, static _ => 0, NullLogger.Instance, Model.NowMs);
    }

    /// <inheritdoc/>
    protected override LogShape ReadDurable() => LogShape.Read(Store.FindEpochEnd, Store.LastEpoch, Store.DurableOffset);
}
