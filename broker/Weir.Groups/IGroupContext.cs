using Microsoft.Extensions.Logging;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>The way to a member: the connection that it joined on. A new connection is another session.</summary>
public interface IGroupSession
{
    /// <summary>Id that the client chose; pushes carry it.</summary>
    uint SessionId { get; }

    /// <summary>Who is at the other end, for people.</summary>
    string Remote { get; }

    /// <summary>Whether the connection is there, as far as is known.</summary>
    bool IsOpen { get; }

    /// <summary>Sends a push; dropped if the connection is gone.</summary>
    void Push<T>(T message)
        where T : IPush;
}

/// <summary>Committed batches of a partition.</summary>
/// <param name="Error">Why there are none, or None.</param>
/// <param name="LogStartOffset">First offset that is kept.</param>
/// <param name="HighWatermark">First offset that cannot be read yet.</param>
/// <param name="Batches">Whole batches as stored, from the one on that holds the offset asked for. The receiver may keep it.</param>
public readonly record struct ReadOutcome(
    ErrorCode Error, long LogStartOffset, long HighWatermark, ReadOnlyMemory<byte> Batches);

/// <summary>What became of a produced batch.</summary>
/// <param name="Error">Why it is not known to be there, or None.</param>
/// <param name="BaseOffset">Where it is.</param>
public readonly record struct ProduceOutcome(ErrorCode Error, long BaseOffset);

/// <summary>A topic that a group consumes.</summary>
/// <param name="TopicId">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Partitions">How many partitions it has.</param>
/// <param name="CreatedAtMs">When it was created, Unix milliseconds.</param>
public sealed record GroupTopic(Guid TopicId, string Name, int Partitions, long CreatedAtMs);

/// <summary>
/// What a group's state machine needs of its coordinator. Everything happens in the coordinator's turn: callbacks come in
/// later turns, one at a time, and never after the coordinator has lost its place.
/// </summary>
public interface IGroupContext
{
    /// <summary>Sizes.</summary>
    CoordinatorOptions Options { get; }

    /// <summary>Where events are reported.</summary>
    ILogger Logger { get; }

    /// <summary>A clock that never goes back, in milliseconds: for timeouts.</summary>
    long NowMs { get; }

    /// <summary>Time in which the coordinator took in what members sent (<see cref="ListeningClock"/>), in milliseconds.</summary>
    long ListeningMs { get; }

    /// <summary>Unix milliseconds: for what is kept or shown.</summary>
    long WallClockMs { get; }

    /// <summary>
    /// Appends a record to the groups' log. All records of one turn are one batch: after a crash all of them are there, or
    /// none. The group applies the record to its own state at once, by the same method as when it is replayed.
    /// </summary>
    void Append(IGroupRecord record);

    /// <summary>
    /// Does something that others can see: once everything that was appended up to now, by this turn or before, is committed.
    /// Never, if it will not be. In the order of the calls.
    /// </summary>
    void WhenCommitted(Action effect);

    /// <summary>
    /// Reads committed batches; waits while there are none. Reads of one partition may overlap. A reader that
    /// asks for what retention removed is told OffsetOutOfRange with the log's start.
    /// </summary>
    void Read(LogIdentity partition, long offset, int maxBytes, Action<ReadOutcome> done);

    /// <summary>Looks for an offset at the partition's leader. Ends by itself, with an error if nobody answers.</summary>
    void LookUp(LogIdentity partition, StartPosition position, long value, Action<OffsetAnswer> done);

    /// <summary>Sends a batch to a partition, with acks=all. Ends by itself, with an error if nobody answers.</summary>
    void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done);

    /// <summary>Gets a producer id that was never given out; an error if the controller does not answer.</summary>
    void InitProducer(Action<ErrorCode, long> done);

    /// <summary>The topic of a name; null if there is none.</summary>
    TopicImage? FindTopic(string name);

    /// <summary>The topic of an id; null if there is none.</summary>
    TopicImage? FindTopic(Guid topicId);
}
