namespace Weir.Client.Consuming;

/// <summary>
/// How far one partition was read since its last seek. It outlives subscriptions: after a reconnect reading goes on from
/// it. A seek replaces it, so that a reader in the middle of a batch cannot write into the new position.
/// </summary>
internal sealed class ReadCursor(ConsumerStart start)
{
    private long _position = start.Position == Protocol.Messages.StartPosition.Offset ? start.Value : -1;
    private bool _isInterrupted;

    /// <summary>Where a subscription starts now.</summary>
    public ConsumerStart Start => Position >= 0 ? ConsumerStart.AtOffset(Position) : start;

    /// <summary>The next offset to be handed out; -1 until the broker has resolved the start.</summary>
    public long Position
    {
        get => Volatile.Read(ref _position);
        set => Volatile.Write(ref _position, value);
    }

    /// <summary>With stop-at-end: the first offset that is not handed out; set by the first subscription.</summary>
    public long StopAt { get; set; } = long.MaxValue;

    /// <summary>Whether the reader must look up before the next record: a seek or a pause.</summary>
    public bool IsInterrupted
    {
        get => Volatile.Read(ref _isInterrupted);
        set => Volatile.Write(ref _isInterrupted, value);
    }

    public bool IsAtEnd => Position >= StopAt;
}
