using System.Collections.Immutable;

namespace Weir.Storage;

/// <summary>The largest leader epoch at most an asked one that a log has, and where it ends.</summary>
/// <param name="LeaderEpoch">The epoch; -1 if the log has none that is as old.</param>
/// <param name="EndOffset">Where the next epoch starts, or the log ends; the log start offset if there is no epoch.</param>
public readonly record struct EpochEnd(int LeaderEpoch, long EndOffset);

/// <summary>
/// Which leader epoch starts at which offset of a log (KIP-101), kept from the stamps of its batches and never trusted over
/// them. Written under the log's lock; any thread may read.
/// </summary>
internal sealed class EpochHistory
{
    private ImmutableArray<(int Epoch, long StartOffset)> _starts = [];

    /// <summary>Epoch of the last batch; -1 for none.</summary>
    public int Last => _starts is [.., var last] ? last.Epoch : -1;

    /// <summary>Every epoch with its start, oldest first.</summary>
    public ImmutableArray<(int Epoch, long StartOffset)> Starts => _starts;

    /// <summary>Notes a batch at the end of the log.</summary>
    public void Note(int epoch, long baseOffset)
    {
        if (epoch > Last)
        {
            _starts = _starts.Add((epoch, baseOffset));
        }
    }

    /// <summary>Forgets everything, or takes over what was saved.</summary>
    public void Reset(IEnumerable<(int Epoch, long StartOffset)> starts) => _starts = [.. starts];

    /// <summary>The largest epoch at most the given one, and where it ends.</summary>
    public EpochEnd FindEnd(int epoch, long logStartOffset, long logEndOffset)
    {
        var starts = _starts;
        for (var i = starts.Length - 1; i >= 0; i--)
        {
            if (starts[i].Epoch <= epoch)
            {
                var end = i + 1 < starts.Length ? starts[i + 1].StartOffset : logEndOffset;
                return end >= logStartOffset
                    ? new EpochEnd(starts[i].Epoch, end)
                    : new EpochEnd(-1, logStartOffset);
            }
        }

        return new EpochEnd(-1, logStartOffset);
    }

    public EpochHistory Clone() => new() { _starts = _starts };
}
