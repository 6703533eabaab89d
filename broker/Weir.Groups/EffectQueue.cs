namespace Weir.Groups;

/// <summary>
/// Effects that wait until what they rest on is committed, in order. A turn's records have one number; the number gets its
/// offset when the log has taken them.
/// </summary>
internal sealed class EffectQueue
{
    private readonly Queue<(long Number, Action Effect)> _effects = new();
    private readonly Queue<(long Number, long EndOffset)> _written = new();
    private long _appended;
    private long _committed;

    /// <summary>Whether nothing that was appended waits for its commit.</summary>
    public bool IsSettled => _appended == _committed && _effects.Count == 0;

    /// <summary>Effects that wait.</summary>
    public int Count => _effects.Count;

    /// <summary>Records are about to be appended: effects from now on wait for them.</summary>
    public void Appending() => _appended++;

    /// <summary>What was appended up to now stands in the log, which ends at an offset.</summary>
    public void Written(long endOffset) => _written.Enqueue((_appended, endOffset));

    /// <summary>Adds an effect behind all that was appended.</summary>
    public void Add(Action effect) => _effects.Enqueue((_appended, effect));

    /// <summary>Everything below an offset is committed.</summary>
    public void Committed(long offset)
    {
        while (_written.TryPeek(out var written) && written.EndOffset <= offset)
        {
            _committed = _written.Dequeue().Number;
        }
    }

    /// <summary>Takes the next effect that need not wait any more.</summary>
    public bool TryTake(out Action effect)
    {
        if (_effects.TryPeek(out var next) && next.Number <= _committed)
        {
            effect = _effects.Dequeue().Effect;
            return true;
        }

        effect = static () => { };
        return false;
    }
}
