namespace Weir.Simulation.Exhaustive;

/// <summary>What was ever committed or acknowledged: none of it may change or go.</summary>
internal sealed class CommitHistory(Action<string, string> violate)
{
    private readonly List<int> _epochs = [];

    /// <summary>Leader epoch of each committed record, by offset.</summary>
    public IReadOnlyList<int> Epochs => _epochs;

    /// <summary>A node knows everything below an offset of its log to be committed.</summary>
    public void Note(int node, LogShape log, long highWatermark)
    {
        if (highWatermark > log.End)
        {
            violate("HighWatermark", $"{node} has {highWatermark} over its end {log.End}");
            return;
        }

        for (var offset = 0; offset < highWatermark; offset++)
        {
            var epoch = log.EpochAt(offset);
            if (offset == _epochs.Count)
            {
                _epochs.Add(epoch);
            }
            else if (_epochs[offset] != epoch)
            {
                violate("ConsistentRead", $"offset {offset} was committed as of epoch {_epochs[offset]}, and {node} has it as of {epoch}");
                return;
            }
        }
    }

    /// <summary>The first committed record that a log lacks; -1 if it has all.</summary>
    public long FirstMissing(LogShape log)
    {
        for (var offset = 0; offset < _epochs.Count; offset++)
        {
            if (log.EpochAt(offset) != _epochs[offset])
            {
                return offset;
            }
        }

        return -1;
    }
}
