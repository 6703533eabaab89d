using Microsoft.Extensions.Logging;
using Weir.Groups.Queue;
using Weir.Groups.Stream;
using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>A group's place at its coordinator, with the way to the coordinator's log and host.</summary>
internal sealed class GroupSlot : IGroupContext
{
    private readonly GroupCoordinator _coordinator;
    private readonly IGroupHost _host;
    private readonly GroupImage _image;
    private Group? _inSnapshot;
    private Exception? _fault;

    public GroupSlot(GroupCoordinator coordinator, IGroupHost host, GroupImage image)
    {
        _coordinator = coordinator;
        _host = host;
        _image = image;
        Group = Create();
    }

    public Group Group { get; private set; }

    /// <summary>Whether a snapshot in the log was begun and not ended.</summary>
    public bool IsInSnapshot => _inSnapshot is not null;

    /// <summary>Whether the group was told of its declaration since the coordinator acts.</summary>
    public bool IsDeclared { get; set; }

    public CoordinatorOptions Options => _coordinator.Options;

    public ILogger Logger => _host.Logger;

    public long NowMs => _host.NowMs;

    public long ListeningMs => _coordinator.ListeningMs;

    public long WallClockMs => _host.WallClockMs;

    /// <summary>Applies a record that was read from the log.</summary>
    public void Replay(IGroupRecord record)
    {
        switch (record)
        {
            case SnapshotStarted:
                _inSnapshot = Create();
                break;
            case SnapshotEnded:
                Group = _inSnapshot ?? Group;
                _inSnapshot = null;
                _fault = null;
                break;
            default:
                TryReplay(record);
                break;
        }
    }

    /// <summary>Insists that every record could be applied.</summary>
    /// <exception cref="ProtocolException">One contradicts those before it.</exception>
    public void InsistIsWhole()
    {
        if (_fault is not null)
        {
            throw new ProtocolException(
                ErrorCode.InvalidBatch, $"the log of group '{_image.Name}' contradicts itself: {_fault.Message}");
        }
    }

    public void Append(IGroupRecord record) => _coordinator.Append(_image.GroupId, record);

    public void WhenCommitted(Action effect) => _coordinator.WhenCommitted(effect);

    public void Read(LogIdentity partition, long offset, int maxBytes, Action<ReadOutcome> done) =>
        _host.Read(partition, offset, maxBytes, done);

    public void LookUp(LogIdentity partition, StartPosition position, long value, Action<OffsetAnswer> done) =>
        _host.LookUp(partition, position, value, done);

    public void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done) =>
        _host.Produce(partition, batch, done);

    public void InitProducer(Action<ErrorCode, long> done) => _host.InitProducer(done);

    public TopicImage? FindTopic(string name) => _coordinator.Image.Find(name);

    public TopicImage? FindTopic(Guid topicId) => _coordinator.Image.Find(topicId);

    /// <summary>
    /// Where the log was let go of before a round of snapshots, the group's records up to its own snapshot come without what
    /// they rest on. The snapshot makes up for them.
    /// </summary>
    private void TryReplay(IGroupRecord record)
    {
        try
        {
            (_inSnapshot ?? Group).Replay(record);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            _fault = e;
        }
    }

    private Group Create() => _image.Mode == GroupMode.Stream
        ? new StreamGroup(_image, this)
        : new QueueGroup(_image, this);
}
