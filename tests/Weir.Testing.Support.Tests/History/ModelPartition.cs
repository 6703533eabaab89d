using Weir.Testing.Support.History;

namespace Weir.Testing.Support.Tests.History;

/// <summary>A partition of <see cref="ModelBroker"/>.</summary>
internal sealed class ModelPartition(PartitionId id)
{
    // Null where the broker wrote a record of its own, or where a record was removed.
    private readonly List<long?> _values = [];

    public PartitionId Id => id;

    public long End => _values.Count;

    /// <summary>Appends, or only says so.</summary>
    public long Append(List<ModelOperation> sends, bool isForgotten)
    {
        var first = End;
        if (!isForgotten)
        {
            _values.AddRange(sends.Select(static send => (long?)send.Value));
        }

        return first;
    }

    public void AppendControl(ModelHistory history)
    {
        history.Gaps.Add(new OffsetGap(id, End, End + 1, GapReason.Control));
        _values.Add(null);
    }

    /// <summary>Removes the oldest, or one from the middle.</summary>
    public void Remove(ModelHistory history, SeededRandom random)
    {
        if (End == 0)
        {
            return;
        }

        var to = 1 + random.Next((int)End);
        var from = random.Chance(1, 2) ? 0 : to - 1;
        for (var offset = from; offset < to; offset++)
        {
            // A control record is one to the end, whoever looks: its gap stays declared as what it is.
            _values[offset] = null;
        }

        history.Gaps.Add(new OffsetGap(id, from, to, GapReason.Removed));
    }

    public ModelSlice Read(ref long position, int limit, bool withPosition, bool withEnd)
    {
        var slice = new ModelSlice
        {
            Partition = id,
            Position = withPosition ? position : -1,
            End = withEnd ? End : -1,
        };
        for (; position < End && slice.Records.Count < limit; position++)
        {
            if (_values[(int)position] is { } value)
            {
                slice.Records.Add(new ReadRecord(position, value));
            }
        }

        return slice;
    }
}

/// <summary>A consumer of <see cref="ModelBroker"/> that reads every partition.</summary>
internal sealed class ModelReader(int process, SeededRandom random, int partitions)
{
    private readonly bool _knowsPositions = random.Chance(2, 3);
    private readonly bool _knowsEnds = random.Chance(2, 3);
    private readonly long[] _positions = new long[partitions];
    private ModelOperation? _poll;

    public void Begin(ModelHistory history, long time)
    {
        if (_poll is null)
        {
            _poll = new ModelOperation { Kind = OperationKind.Poll, Process = process, Invoked = time };
            history.Operations.Add(_poll);
        }
    }

    public void End(ModelPartition[] all, long time)
    {
        if (_poll is null)
        {
            return;
        }

        _poll.Completed = time;
        _poll.Outcome = random.Chance(1, 8) ? (random.Chance(1, 2) ? Outcome.Info : Outcome.Fail) : Outcome.Ok;
        for (var i = 0; i < all.Length; i++)
        {
            var position = _positions[i];
            _poll.Slices.Add(all[i].Read(ref position, random.Next(8), _knowsPositions, _knowsEnds));
            if (_poll.Outcome == Outcome.Ok || random.Chance(1, 2))
            {
                _positions[i] = position;
            }
        }

        _poll = null;
    }

    /// <summary>Dies, or is assigned anew, and goes on from anywhere.</summary>
    public void Move(ModelHistory history, ModelPartition[] all, long time)
    {
        _poll = null;
        var move = new ModelOperation
        {
            Kind = random.Chance(1, 3) ? OperationKind.Crash : OperationKind.Assign,
            Process = process,
            Invoked = time,
        };
        for (var i = 0; i < all.Length; i++)
        {
            _positions[i] = random.Next((int)all[i].End + 1);
            if (move.Kind == OperationKind.Assign && random.Chance(1, 2))
            {
                move.Slices.Add(new ModelSlice { Partition = all[i].Id, Position = _positions[i] });
            }
        }

        history.Operations.Add(move);
    }
}
