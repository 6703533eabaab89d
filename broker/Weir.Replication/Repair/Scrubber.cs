using Weir.Replication.Fetching;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Replication.Repair;

/// <summary>
/// Reads everything that the replicas of a broker have on disk, piece by piece within a budget of bytes per second, and
/// checks it: damage is to be found while there are whole copies. Called by one thread.
/// </summary>
internal sealed class Scrubber(
    ReplicaTable replicas, IReplicaHost host, ReplicationOptions options, Action<Replica, long> onDamage)
{
    private const int PieceBytes = 1024 * 1024;
    private Queue<Replica> _left = new();
    private LogCursor? _cursor;
    private long _lastMs = host.NowMs;
    private long _budget;

    /// <summary>Reads on as far as the budget goes.</summary>
    public void Tick()
    {
        var nowMs = host.NowMs;
        _budget = Math.Min(
            _budget + options.ScrubBytesPerSecond * Math.Max(0, nowMs - _lastMs) / 1000, options.ScrubBytesPerSecond + PieceBytes);
        _lastMs = nowMs;
        for (var pieces = 0; _budget > 0 && pieces < 64; pieces++)
        {
            if (!ReadPiece())
            {
                return;
            }
        }
    }

    /// <summary>Reads everything from its beginning on, whatever the budget.</summary>
    public void ReadAll()
    {
        BeginRound();
        while (_left.Count > 0)
        {
            ReadPiece();
        }
    }

    private void BeginRound()
    {
        _left = new Queue<Replica>(replicas.InOrder);
        _cursor = null;
    }

    private bool ReadPiece()
    {
        if (_left.Count == 0)
        {
            BeginRound();
            if (_left.Count == 0)
            {
                return false;
            }
        }

        var replica = _left.Peek();
        if (replica.DamagedFrom is not null || replica.Log.State is not (LogState.Online or LogState.StorageFull)
            || !ReferenceEquals(replicas.Find(replica.Identity), replica))
        {
            Next();
            return true;
        }

        try
        {
            var start = replica.Log.LogStartOffset;
            var cursor = _cursor is { } present && present.Offset >= start ? present : replica.Log.Locate(start);
            var limit = replica.Log.DurableOffset;
            var buffer = new RecordBuffer(PieceBytes, fromFiles: true);
            if (cursor.Offset < limit)
            {
                buffer.Append(replica.Log, ref cursor, limit, PieceBytes);
            }

            _budget -= buffer.Length;
            _cursor = cursor;
            if (buffer.Length == 0)
            {
                Next();
            }
        }
        catch (LogCorruptException e)
        {
            Next();
            onDamage(replica, e.Offset);
        }
        catch (ArgumentOutOfRangeException)
        {
            // Cut or trimmed meanwhile: it is read again in the next round.
            Next();
        }

        return true;
    }

    private void Next()
    {
        _left.Dequeue();
        _cursor = null;
    }
}
