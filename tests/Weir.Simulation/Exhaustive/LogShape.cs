using System.Collections.Immutable;
using Weir.Storage;

namespace Weir.Simulation.Exhaustive;

/// <summary>A log as its leader epochs tell it: one leader appends once at an offset, so epoch and offset name a record.</summary>
internal readonly record struct LogShape(ImmutableArray<EpochEnd> Epochs)
{
    public static LogShape Empty { get; } = new([]);

    /// <summary>End of the log.</summary>
    public long End => Epochs.IsEmpty ? 0 : Epochs[^1].EndOffset;

    /// <summary>Reads a log up to an offset.</summary>
    public static LogShape Read(Func<int, EpochEnd> find, int lastEpoch, long limit)
    {
        var epochs = ImmutableArray.CreateBuilder<EpochEnd>();
        for (var epoch = lastEpoch; epoch >= 0;)
        {
            var end = find(epoch);
            if (end.LeaderEpoch < 0)
            {
                break;
            }

            epochs.Insert(0, end with { EndOffset = Math.Min(end.EndOffset, limit) });
            epoch = end.LeaderEpoch - 1;
        }

        return new LogShape(epochs.ToImmutable());
    }

    /// <summary>Epoch of the record at an offset; -1 if there is none.</summary>
    public int EpochAt(long offset)
    {
        foreach (var (epoch, end) in Epochs)
        {
            if (offset < end)
            {
                return epoch;
            }
        }

        return -1;
    }

    public override string ToString() => string.Join(' ', Epochs.Select(static epoch => $"{epoch.LeaderEpoch}<{epoch.EndOffset}"));
}
