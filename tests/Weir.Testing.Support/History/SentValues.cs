namespace Weir.Testing.Support.History;

/// <summary>Every value that was sent, numbered in the order of the sends, with where it was seen.</summary>
internal sealed class SentValues
{
    private const int SparseFactor = 4;
    private readonly long _first;
    private readonly int[]? _dense;
    private readonly Dictionary<long, int>? _sparse;

    public SentValues(HistoryLog history)
    {
        var (first, last, count) = Extent(history);
        _first = first;
        if (count > 0 && (UInt128)((Int128)last - first) < (UInt128)count * SparseFactor)
        {
            _dense = new int[last - first + 1];
            Array.Fill(_dense, -1);
        }
        else
        {
            _sparse = new Dictionary<long, int>(count);
        }

        Sends = new int[count];
        Seen = new SeenValue[count];
        Number(history);
    }

    /// <summary>The operation that sent it.</summary>
    public int[] Sends { get; }

    public SeenValue[] Seen { get; }

    public int Count => Sends.Length;

    /// <summary>A value's number, or -1 if nobody sent it.</summary>
    public int Find(long value)
    {
        if (_dense is null)
        {
            return _sparse!.GetValueOrDefault(value, -1);
        }

        var index = unchecked((ulong)(value - _first));
        return index < (ulong)_dense.Length ? _dense[index] : -1;
    }

    private static (long First, long Last, int Count) Extent(HistoryLog history)
    {
        var (first, last, count) = (long.MaxValue, long.MinValue, 0);
        for (var id = 0; id < history.Count; id++)
        {
            ref readonly var operation = ref history.At(id);
            if (operation.Kind == OperationKind.Send)
            {
                first = Math.Min(first, operation.Value);
                last = Math.Max(last, operation.Value);
                count++;
            }
        }

        return (first, last, count);
    }

    private void Number(HistoryLog history)
    {
        var next = 0;
        for (var id = 0; id < history.Count; id++)
        {
            ref readonly var operation = ref history.At(id);
            if (operation.Kind != OperationKind.Send)
            {
                continue;
            }

            if (Find(operation.Value) is >= 0 and var other)
            {
                throw new ArgumentException(
                    $"{history.Describe(id)} sends a value that {history.Describe(Sends[other])} sent", nameof(history));
            }

            Sends[next] = id;
            Seen[next] = new SeenValue { Partition = operation.Partition, FirstOffset = -1, LastOffset = -1 };
            if (_dense is null)
            {
                _sparse!.Add(operation.Value, next);
            }
            else
            {
                _dense[operation.Value - _first] = next;
            }

            next++;
        }
    }
}

/// <summary>Where a value was seen.</summary>
internal struct SeenValue
{
    /// <summary>-1 as long as nothing says.</summary>
    public int Partition;

    /// <summary>By a poll that succeeded.</summary>
    public bool IsRead;

    /// <summary>By a poll of the final read phase that succeeded.</summary>
    public bool IsFinallyRead;

    /// <summary>The lowest offset that it was seen at; -1 if none.</summary>
    public long FirstOffset;

    /// <summary>The highest.</summary>
    public long LastOffset;
}
