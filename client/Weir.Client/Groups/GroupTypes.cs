using Weir.Protocol.Records;

namespace Weir.Client;

/// <summary>A partition of a topic.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">Its index.</param>
public readonly record struct TopicPartition(string Topic, int Partition)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Topic}-{Partition}";
}

/// <summary>How a member of a stream group consumes. Checked by <c>CreateGroupConsumer</c>; not read afterwards.</summary>
public sealed class GroupConsumerOptions
{
    /// <summary>
    /// Static id of this member, one per running instance: a member that comes back with it within the group's
    /// <c>session.timeout.ms</c> gets what it had, and nothing moves, also after it was disposed. Default none.
    /// </summary>
    public string? InstanceId { get; set; }

    /// <summary>
    /// How often what the application has finished is committed: a record is finished when the next one is asked for. Default
    /// 1 s; null to commit by <see cref="WeirGroupConsumer.CommitAsync(CancellationToken)"/> alone, or not at all.
    /// </summary>
    public TimeSpan? CommitInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of batches that brokers may send ahead, per partition. Default 1 MiB; 4 KiB to 1 GiB.</summary>
    public int PrefetchBytes { get; set; } = 1024 * 1024;

    /// <summary>
    /// Whether the memory of records is used again: valid until the next record is asked for, else for ever. Default false.
    /// </summary>
    public bool ReuseBuffers { get; set; }

    /// <summary>
    /// Where to start in a partition that was assigned, given with its fencing token; null from it for the committed offset.
    /// For offsets that the application keeps in its own database, in the transaction with its results.
    /// </summary>
    public Func<TopicPartition, int, CancellationToken, ValueTask<long?>>? StartOffset { get; set; }

    /// <summary>
    /// How long disposing waits for the record that the application has in hand, and then for the last commit. Default 5 s.
    /// </summary>
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(5);

    internal GroupConsumerOptions Copy()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(PrefetchBytes, 4096, nameof(PrefetchBytes));
        return (GroupConsumerOptions)MemberwiseClone();
    }
}

/// <summary>A record that a member of a stream group reads.</summary>
/// <param name="record">The record.</param>
/// <param name="fencingToken">Epoch of the assignment that it was read under.</param>
public readonly struct GroupRecord(in ConsumedRecord record, int fencingToken)
{
    /// <summary>The record as it was read.</summary>
    public ConsumedRecord Record { get; } = record;

    /// <summary>
    /// Grows whenever the partition gets another owner: a database that refuses writes under a smaller one than it has seen
    /// for the partition refuses owners of the past.
    /// </summary>
    public int FencingToken { get; } = fencingToken;

    /// <summary>Its topic.</summary>
    public string Topic => Record.Topic;

    /// <summary>Its partition.</summary>
    public int Partition => Record.Partition;

    /// <summary>Its offset.</summary>
    public long Offset => Record.Offset;

    /// <summary>The key; null if it has none.</summary>
    public ReadOnlyMemory<byte>? Key => Record.Key;

    /// <summary>The value; null if it has none.</summary>
    public ReadOnlyMemory<byte>? Value => Record.Value;
}

/// <summary>How a member of a queue or keyed group consumes. Checked by <c>CreateQueueConsumer</c>; not read afterwards.</summary>
public sealed class QueueConsumerOptions
{
    /// <summary>Whether the group is a keyed one. Default false: a queue.</summary>
    public bool IsKeyed { get; set; }

    /// <summary>Static id of this member, one per running instance. Default none.</summary>
    public string? InstanceId { get; set; }

    /// <summary>Most records that it holds, those in hand and those sent ahead. Default 1000; 1 to 100,000.</summary>
    public int MaxInFlight { get; set; } = 1000;

    /// <summary>Bytes of records over which it gets no more. Default 8 MiB.</summary>
    public long MaxInFlightBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>
    /// The lock of a record that a handler of <see cref="WeirQueueConsumer.RunAsync"/> has is extended for so long; that of one
    /// which waits here, until the application has taken none for so long. Default 5 min; zero for never.
    /// </summary>
    public TimeSpan MaxLockExtension { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long disposing waits for settlements that are on their way. Default 5 s.</summary>
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(5);

    internal QueueConsumerOptions Copy()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxInFlight, 1, nameof(MaxInFlight));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxInFlightBytes, 1, nameof(MaxInFlightBytes));
        return (QueueConsumerOptions)MemberwiseClone();
    }
}

/// <summary>
/// A record that a queue or keyed group has given to this member, locked for it until it is settled. Settle it once; any thread.
/// </summary>
public sealed class Delivery
{
    private readonly Groups.SettlementQueue _settlements;

    internal Delivery(
        Groups.SettlementQueue settlements, Guid topicId, string topic, int partition, in DeliveredRecord header,
        DateTimeOffset lockedUntil)
    {
        _settlements = settlements;
        TopicId = topicId;
        Topic = topic;
        Partition = partition;
        Offset = header.Offset;
        DeliveryCount = header.DeliveryCount;
        FirstDelivered = DateTimeOffset.FromUnixTimeMilliseconds(header.FirstDeliveredMs);
        LockedUntil = lockedUntil;
    }

    /// <summary>Its topic.</summary>
    public string Topic { get; }

    /// <summary>Its partition.</summary>
    public int Partition { get; }

    /// <summary>Its offset.</summary>
    public long Offset { get; }

    /// <summary>The key; null if it has none.</summary>
    public ReadOnlyMemory<byte>? Key { get; internal init; }

    /// <summary>The value; null if it has none.</summary>
    public ReadOnlyMemory<byte>? Value { get; internal init; }

    /// <summary>Its headers.</summary>
    public IReadOnlyList<RecordHeader> Headers { get; internal init; } = [];

    /// <summary>The producer's time.</summary>
    public DateTimeOffset Timestamp { get; internal init; }

    /// <summary>How often it was delivered, with this time.</summary>
    public int DeliveryCount { get; }

    /// <summary>When it was delivered for the first time.</summary>
    public DateTimeOffset FirstDelivered { get; }

    /// <summary>When its lock ends unless it is extended, by this machine's clock.</summary>
    public DateTimeOffset LockedUntil { get; internal set; }

    /// <summary>Whether it was acknowledged, released or rejected here; it may be on its way still.</summary>
    public bool IsSettled { get; internal set; }

    internal Guid TopicId { get; }

    /// <summary>Since when it is held, by the client's clock; from the moment that the application got it, if it did.</summary>
    internal long HeldSince { get; set; }

    internal bool IsInHand { get; set; }

    internal bool IsHandled { get; set; }

    /// <summary>It is done. Completes when that is kept.</summary>
    /// <exception cref="WeirException">
    /// <see cref="Protocol.Errors.ErrorCode.LockExpired"/> if it is not this member's any more; it may be delivered again.
    /// </exception>
    public Task AcknowledgeAsync() => _settlements.SettleAsync(this, Protocol.Messages.SettleAction.Acknowledge, -1, null);

    /// <summary>It failed: it is delivered again after the group's back-off, or after a delay.</summary>
    /// <param name="delay">When to try again; null for the group's back-off.</param>
    /// <param name="reason">Why, for a dead letter that comes of it. The first 500 characters are kept.</param>
    /// <exception cref="WeirException">As for <see cref="AcknowledgeAsync"/>.</exception>
    public Task ReleaseAsync(TimeSpan? delay = null, string? reason = null) => _settlements.SettleAsync(
        this, Protocol.Messages.SettleAction.Release, delay is { } wait ? (long)wait.TotalMilliseconds : -1, reason);

    /// <summary>It can never be processed: it goes to the dead-letter topic.</summary>
    /// <param name="reason">Why; the first 500 characters are kept in the dead letter.</param>
    /// <exception cref="WeirException">
    /// As for <see cref="AcknowledgeAsync"/>; <see cref="Protocol.Errors.ErrorCode.InvalidRequest"/> if the group has no
    /// dead-letter topic: it is released then.
    /// </exception>
    public Task RejectAsync(string reason) =>
        _settlements.SettleAsync(this, Protocol.Messages.SettleAction.Reject, -1, reason);

    /// <summary>It takes longer: locked from now on for the group's time, or another one.</summary>
    /// <exception cref="WeirException">As for <see cref="AcknowledgeAsync"/>.</exception>
    public Task ExtendAsync(TimeSpan? duration = null) => _settlements.SettleAsync(
        this, Protocol.Messages.SettleAction.Extend, duration is { } time ? (long)time.TotalMilliseconds : -1, null);
}
