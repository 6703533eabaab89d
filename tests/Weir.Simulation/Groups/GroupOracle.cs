using System.Buffers.Binary;
using System.Text;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Simulation.Groups;

/// <summary>Knows what happened, and what must never happen.</summary>
internal sealed class GroupOracle(GroupWorld world)
{
    private readonly Dictionary<(LogIdentity, int), Guid> _owners = [];
    private readonly Dictionary<LogIdentity, (int Epoch, long Offset)> _committed = [];
    private readonly Dictionary<LogIdentity, HashSet<long>> _handled = [];
    private readonly Dictionary<int, List<(int Partition, long Offset)>> _byKey = [];
    private readonly Dictionary<(int, long), int> _keys = [];
    private readonly HashSet<(int, long)> _acknowledging = [];
    private readonly HashSet<(int, long)> _confirmed = [];
    private long _producerId = 100;
    private int _published;

    /// <summary>The first promise that was broken; null if none was.</summary>
    public string? Violation { get; private set; }

    /// <summary>Whether nothing is left to do.</summary>
    public bool IsDone => world.Mode == GroupMode.Stream
        ? Described is not null && Enumerable.Range(0, GroupWorld.Partitions).Select(Identity).All(partition =>
            world.Topics.EndOf(partition) == (_committed.TryGetValue(partition, out var at) ? at.Offset : 0))
        : IsSettled && _keys.Keys.All(record => _acknowledging.Contains(record) || DeadLetters().Contains(record));

    private bool IsSettled => Described is { } described
        && described.Partitions.All(partition => partition.Committed == world.Topics.EndOf(Identity(partition.Partition)));

    private DescribeGroupResponse? Described
    {
        get
        {
            // The leaders are asked for it, so the answer comes later: this is the one before.
            world.Coordinator.Machine.Receive(
                new DescribeGroupRequest { Name = "g" }, response => _lastDescribed = response, static (_, _) => { });
            return _lastDescribed;
        }
    }

    private DescribeGroupResponse? _lastDescribed;

    public long NextProducerId() => ++_producerId;

    public void OnPublished(int partition, long offset, int key)
    {
        _published++;
        _keys[(partition, offset)] = key;
        if (!_byKey.TryGetValue(key, out var records))
        {
            _byKey[key] = records = [];
        }

        records.Add((partition, offset));
    }

    public void OnAssigned(LogIdentity partition, int epoch, Guid member)
    {
        if (_owners.TryGetValue((partition, epoch), out var owner) && owner != member)
        {
            Break($"two owners: {partition} has {owner} and {member} in epoch {epoch}");
        }

        _owners[(partition, epoch)] = member;
    }

    public void OnStarted(LogIdentity partition, long offset)
    {
        for (long i = 0; i < offset; i++)
        {
            if (!_handled.TryGetValue(partition, out var handled) || !handled.Contains(i))
            {
                Break($"skipped: {partition} starts at {offset}, and nobody has handled {i}");
                return;
            }
        }
    }

    public void OnHandled(LogIdentity partition, long offset)
    {
        if (!_handled.TryGetValue(partition, out var handled))
        {
            _handled[partition] = handled = [];
        }

        handled.Add(offset);
    }

    /// <summary>The coordinator says that a commit is kept.</summary>
    public void OnCommitted(LogIdentity partition, int epoch, long offset)
    {
        if (_committed.TryGetValue(partition, out var before) && (before.Offset > offset || before.Epoch > epoch))
        {
            Break($"commit goes back: {partition} from {before} to {(epoch, offset)}");
        }

        _committed[partition] = (epoch, offset);
    }

    /// <summary>The coordinator pushes records.</summary>
    public void OnPushed(GroupDeliverPush push)
    {
        var bytes = push.Records;
        for (var i = 0; i < push.RecordCount; i++)
        {
            var header = DeliveredRecord.Read(bytes.Span);
            bytes = bytes[RecordReader.Read(bytes.Span, DeliveredRecord.Size, header.BaseTimestampMs).End..];
            if (_confirmed.Contains((push.Partition, header.Offset)))
            {
                Break($"delivered again: {push.Partition}/{header.Offset} was confirmed as acknowledged");
            }

            if (world.Mode == GroupMode.Keyed)
            {
                CheckOrder(push.Partition, header.Offset);
            }
        }
    }

    public void OnDelivered(LogIdentity partition, long offset) => _ = (partition, offset);

    public void OnAcknowledging(LogIdentity partition, long offset) => _acknowledging.Add((partition.Partition, offset));

    public void OnConfirmed(LogIdentity partition, long offset) => _confirmed.Add((partition.Partition, offset));

    public string? CheckEnd()
    {
        var dead = DeadLetters();
        if (dead.Count != dead.Distinct().Count())
        {
            Break("a record is twice in the dead-letter topic");
        }

        if (dead.FirstOrDefault(_confirmed.Contains) is var both && both != default)
        {
            Break($"{both} was confirmed as acknowledged and is a dead letter");
        }

        return Violation;
    }

    public string Describe()
    {
        var described = Described;
        return $"{_published} published, {_acknowledging.Count} acknowledged, {DeadLetters().Count} dead letters, committed "
            + string.Join(' ', _committed.Select(static pair => $"{pair.Key.Partition}:{pair.Value.Offset}")) + "; "
            + string.Join(' ', described?.Partitions.Select(partition =>
                $"{partition.Partition}: {partition.Committed} of {world.Topics.EndOf(Identity(partition.Partition))}, owner {partition.Owner.ToString()[..8]}, in flight {partition.InFlight}, waiting {partition.Waiting}") ?? [])
            + $"; members {string.Join(' ', described?.Members.Select(static member => $"{member.MemberId.ToString()[..8]} epoch {member.MemberEpoch} silent {member.SilentForMs}") ?? [])}, blocked {world.Coordinator.Machine.IsBlocked}, "
            + $"{world.Coordinator.Machine.WaitingEffects} effects wait, log ends at {world.Log.EndOffset}; "
            + $"missing {string.Join(' ', _keys.Keys.Where(record => world.Mode != GroupMode.Stream && !_acknowledging.Contains(record) && !DeadLetters().Contains(record)))}";
    }

    private static LogIdentity Identity(int partition) => new(GroupWorld.TopicId, partition);

    /// <summary>An earlier record of the key must be on its way out: somebody acknowledged it, or it is a dead letter.</summary>
    private void CheckOrder(int partition, long offset)
    {
        var dead = DeadLetters();
        foreach (var earlier in _byKey[_keys[(partition, offset)]].TakeWhile(record => record != (partition, offset)))
        {
            if (!_acknowledging.Contains(earlier) && !dead.Contains(earlier))
            {
                Break($"order: {partition}/{offset} is delivered before {earlier} of its key is done");
                return;
            }
        }
    }

    private List<(int, long)> DeadLetters()
    {
        var found = new List<(int, long)>();
        for (var i = 0; i < 2; i++)
        {
            foreach (var batch in world.Topics.BatchesOf(new LogIdentity(GroupWorld.DeadLetterId, i)))
            {
                found.Add((
                    (int)ReadHeader(batch, WellKnownHeaders.DeadLetterPartition), ReadHeader(batch, WellKnownHeaders.DeadLetterOffset)));
            }
        }

        return found;
    }

    private static long ReadHeader(byte[] batch, string name)
    {
        var record = RecordReader.Read(batch, RecordBatchHeader.Size, 0);
        for (int i = 0, position = record.HeadersStart; i < record.HeaderCount; i++)
        {
            var header = RecordReader.ReadHeader(batch, position, record.End);
            if (Encoding.UTF8.GetString(batch, header.NameStart, header.NameLength) == name)
            {
                return BinaryPrimitives.ReadInt64LittleEndian(batch.AsSpan(header.ValueStart));
            }

            position = header.End;
        }

        throw new InvalidOperationException($"a dead letter has no header '{name}'");
    }

    private void Break(string text) => Violation ??= $"at {world.NowMs} ms: {text}";
}
