using System.Collections.Concurrent;
using Weir.Groups;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Server.Partitions;
using Weir.Storage;

namespace Weir.Server.Groups;

/// <summary>
/// Runs one coordinator for one leadership: reads its log, then does its work on the thread pool, one piece after the other;
/// what waits together is one turn, and so one batch in the log.
/// </summary>
internal sealed class CoordinatorLoop : IDisposable
{
    private const int LoadRetryMs = 1000;
    private const int MaxWork = 100_000;
    private const int WorkPerTurn = 1000;
    private const int SliceBytes = 1024 * 1024;
    private readonly GroupServices _services;
    private readonly Partition _partition;
    private readonly GroupLog _log;
    private readonly GroupHost _host;
    private readonly CancellationTokenSource _ended = new();
    private readonly ConcurrentQueue<Work> _work = new();
    private readonly Lock _turn = new();
    private GroupCoordinator? _coordinator;
    private int _workCount;
    private int _isScheduled;
    private int _isTickQueued;
    private string _endReason = string.Empty;
    private long _nextLoadMs;

    public CoordinatorLoop(GroupServices services, Partition partition, int leaderEpoch)
    {
        _services = services;
        _partition = partition;
        LeaderEpoch = leaderEpoch;
        _log = new GroupLog(services.Broker, partition, leaderEpoch, services.Replicas, services.Flush);
        _host = new GroupHost(services, work => Post(_ => work()), _ended.Token);
    }

    /// <summary>The leadership.</summary>
    public int LeaderEpoch { get; }

    /// <summary>Whether a turn failed, so that another loop must take its place.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Whether there is anything to do by the clock.</summary>
    public bool NeedsTicks => Volatile.Read(ref _coordinator) is not { GroupCount: 0 };

    /// <summary>Brings a request to the coordinator.</summary>
    public void Receive(Action<GroupCoordinator> serve, Refuse refuse)
    {
        if (_ended.IsCancellationRequested)
        {
            refuse(ErrorCode.NotCoordinator, "this broker does not coordinate the group any more");
        }
        else if (Volatile.Read(ref _coordinator) is null)
        {
            refuse(ErrorCode.CoordinatorNotReady, "the coordinator is reading its log");
        }
        else if (Volatile.Read(ref _workCount) > MaxWork)
        {
            refuse(ErrorCode.Throttled, "the coordinator has too much to do");
        }
        else
        {
            Enqueue(new Work(serve, refuse));
        }
    }

    /// <summary>Does something in a turn of the coordinator, if it comes to that.</summary>
    public void Post(Action<GroupCoordinator> work) => Enqueue(new Work(work, null));

    /// <summary>The high watermark may have moved.</summary>
    public void OnProgress() => Schedule();

    /// <summary>The clock has moved.</summary>
    public void Tick()
    {
        if (Interlocked.Exchange(ref _isTickQueued, 1) == 0)
        {
            Post(coordinator =>
            {
                Volatile.Write(ref _isTickQueued, 0);
                coordinator.Tick();
            });
        }
    }

    /// <summary>The leadership is over.</summary>
    public void End(string reason)
    {
        _endReason = reason;
        _ended.Cancel();
        Schedule();
    }

    public void Dispose() => End("the broker stops");

    private void Enqueue(in Work work)
    {
        Interlocked.Increment(ref _workCount);
        _work.Enqueue(work);
        Schedule();
    }

    private void Schedule()
    {
        if (Interlocked.Exchange(ref _isScheduled, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static loop => loop.Run(), this, preferLocal: false);
        }
    }

    private void Run()
    {
        Volatile.Write(ref _isScheduled, 0);

        // A second one may have been scheduled meanwhile: it waits here, and finds less to do.
        lock (_turn)
        {
            try
            {
                RunTurn();
            }
            catch (Exception e)
            {
                // Its state may be half changed: another loop reads it again.
                GroupEvents.TurnFailed(_host.Logger, e, _partition.Topic, _partition.Index);
                HasFailed = true;
                End("the coordinator failed");
            }
        }
    }

    private void RunTurn()
    {
        if (_ended.IsCancellationRequested)
        {
            if (_coordinator is { } ending)
            {
                ending.End(ErrorCode.NotCoordinator, _endReason);
                GroupEvents.Ended(_host.Logger, _partition.Topic, _partition.Index, _endReason);
                Volatile.Write(ref _coordinator, null);
            }

            while (_work.TryDequeue(out var left))
            {
                left.Refuse?.Invoke(ErrorCode.NotCoordinator, _endReason);
            }

            _log.Dispose();
            return;
        }

        if (_coordinator is null && !TryLoad())
        {
            return;
        }

        var coordinator = _coordinator!;
        coordinator.Apply(_services.Image());

        // Read before the epoch is checked: what another leader commits is not this one's.
        var highWatermark = _partition.HighWatermark;
        if (_partition.Replica.LeaderEpoch == LeaderEpoch)
        {
            coordinator.OnCommitted(highWatermark);
        }

        coordinator.Run(() =>
        {
            for (var left = WorkPerTurn; left > 0 && _work.TryDequeue(out var work); left--)
            {
                Interlocked.Decrement(ref _workCount);
                work.Do(coordinator);
            }
        });
        _host.Flush();
        if (!_work.IsEmpty)
        {
            Schedule();
        }
    }

    /// <summary>
    /// Reads the log once everything in it is committed, as is everything that the leaders before this one have promised.
    /// </summary>
    private bool TryLoad()
    {
        var replica = _partition.Replica;
        var log = _partition.Log;
        if (_host.NowMs < _nextLoadMs || replica.LeaderEpoch != LeaderEpoch || !replica.IsHighWatermarkCurrent || log.LogEndOffset != replica.HighWatermark)
        {
            return false;
        }

        try
        {
            var topic = _services.Image().Find(log.Identity.TopicId);
            if (topic is null)
            {
                return false;
            }

            var coordinator = new GroupCoordinator(
                _partition.Index, topic.Partitions.Length, _services.Image(), _log, _host, new CoordinatorOptions());
            var records = Load(coordinator, log.LogStartOffset, replica.HighWatermark);
            coordinator.OnCommitted(replica.HighWatermark);
            coordinator.Activate();
            _host.Flush();
            Volatile.Write(ref _coordinator, coordinator);
            GroupEvents.Coordinating(
                _host.Logger, coordinator.GroupCount, _partition.Topic, _partition.Index, LeaderEpoch, records);
            return true;
        }
        catch (Exception e) when (e is ProtocolException or LogCorruptException or IOException or ObjectDisposedException)
        {
            GroupEvents.LoadFailed(_host.Logger, e, _partition.Topic, _partition.Index);
            _nextLoadMs = _host.NowMs + LoadRetryMs;
            return false;
        }
    }

    private long Load(GroupCoordinator coordinator, long offset, long end)
    {
        long count = 0;
        while (offset < end)
        {
            for (var rest = _services.Replicas.ReadCommitted(_partition.Replica, offset, end, SliceBytes); !rest.IsEmpty;)
            {
                var batch = rest[..(int)RecordBatchHeader.ReadLength(rest.Span)];
                var header = RecordBatchHeader.Verify(batch.Span);
                var records = batch[RecordBatchHeader.Size..];
                var position = 0;
                for (var i = 0; i < header.RecordCount; i++)
                {
                    var record = RecordReader.Read(records.Span, position, header.BaseTimestampMs);
                    if (header.BaseOffset + i >= offset)
                    {
                        coordinator.Load(records.Slice(record.ValueStart, Math.Max(0, record.ValueLength)));
                        count++;
                    }

                    position = record.End;
                }

                offset = header.NextOffset;
                rest = rest[batch.Length..];
            }
        }

        return count;
    }

    private readonly record struct Work(Action<GroupCoordinator> Do, Refuse? Refuse);
}
