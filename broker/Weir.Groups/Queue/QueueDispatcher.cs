using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Groups.Queue;

/// <summary>Gives records that may be delivered to members that have room, in turn. One thread.</summary>
internal sealed class QueueDispatcher(QueueWork work)
{
    private const int MaxPushBytes = 128 * 1024;
    private const int MaxRun = 64;
    private readonly List<QueueMember> _open = [];
    private int _turn;

    /// <summary>Delivers what can be delivered.</summary>
    public void Deliver(IEnumerable<QueuePartition> partitions)
    {
        if (work.Settings.IsPaused)
        {
            return;
        }

        _open.Clear();
        _open.AddRange(work.Members.Values.Where(static member => member.Room > 0));
        foreach (var partition in partitions)
        {
            if (_open.Count == 0 || work.InFlight >= work.Settings.MaxInFlight)
            {
                return;
            }

            Deliver(partition);
        }
    }

    private void Deliver(QueuePartition partition)
    {
        while (partition.Ready.Count > 0 && _open.Count > 0 && work.InFlight < work.Settings.MaxInFlight)
        {
            _turn = (_turn + 1) % _open.Count;
            var member = _open[_turn];
            var share = (partition.Ready.Count + _open.Count - 1) / _open.Count;
            Deliver(partition, member, Math.Min(Math.Min(share, MaxRun), member.Room));
            if (member.Room <= 0)
            {
                _open.RemoveAt(_turn);
            }
        }
    }

    private void Deliver(QueuePartition partition, QueueMember member, int count)
    {
        var locks = new LockGroup(work.Context.NowMs + work.Settings.LockMs);
        var push = new DeliveryPush();
        while (count > 0 && push.Length < MaxPushBytes && work.InFlight < work.Settings.MaxInFlight
            && partition.Ready.TryDequeue(out var offset))
        {
            if (!partition.IsIdle(offset))
            {
                partition.TryTakeFromBuffer(offset, out _);
                continue;
            }

            if (!partition.TryTakeFromBuffer(offset, out var record))
            {
                QueueWork.MakeReady(partition, offset);
                continue;
            }

            var failed = partition.Failed.GetValueOrDefault(offset);
            var deliveries = (failed?.Deliveries ?? 0) + 1;
            var firstMs = failed?.FirstMs is > 0 and var first ? first : work.Context.WallClockMs;
            push.Add(new DeliveredRecord(offset, record.TimestampMs, firstMs, (ushort)Math.Min(deliveries, ushort.MaxValue)), record.Fields);
            work.Hold(partition, offset, new Delivery(member, record.Key, record.Cost, deliveries, firstMs, locks));
            count--;
        }

        if (push.Count > 0)
        {
            partition.Locks.Enqueue(locks, locks.DueMs);
            Send(member.Session!, partition, push);
        }
    }

    private void Send(IGroupSession session, QueuePartition partition, DeliveryPush push)
    {
        var message = new GroupDeliverPush
        {
            SessionId = session.SessionId,
            TopicId = partition.Identity.TopicId,
            Partition = partition.Identity.Partition,
            LockMs = work.Settings.LockMs,
            RecordCount = push.Count,
            Records = push.Bytes,
        };
        work.Context.WhenCommitted(() => session.Push(message));
    }

    /// <summary>Records that go to one member in one push.</summary>
    private sealed class DeliveryPush
    {
        private byte[] _bytes = new byte[4096];

        public int Count { get; private set; }

        public int Length { get; private set; }

        public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, Length);

        public void Add(in DeliveredRecord header, ReadOnlySpan<byte> fields)
        {
            var needed = Length + DeliveredRecord.Size + RecordFields.EncodedBound(fields.Length);
            if (needed > _bytes.Length)
            {
                Array.Resize(ref _bytes, Math.Max(needed, _bytes.Length * 2));
            }

            header.Write(_bytes.AsSpan(Length));
            Length += DeliveredRecord.Size;
            Length += RecordFields.Encode(fields, _bytes.AsSpan(Length));
            Count++;
        }
    }
}
