using Microsoft.Extensions.Logging;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>The partition of the groups' log that a coordinator leads: replicated like any other.</summary>
public interface IGroupLog
{
    /// <summary>First offset that is not appended yet.</summary>
    long EndOffset { get; }

    /// <summary>Appends record values as one batch.</summary>
    /// <returns>The log's end after it; -1 if the log takes nothing now: it is full, or too few replicas are in sync.</returns>
    long Append(IReadOnlyList<byte[]> values);

    /// <summary>Lets go of everything below an offset, at some time.</summary>
    void DeleteBefore(long offset);
}

/// <summary>
/// What a coordinator needs of its broker. Callbacks must come in the coordinator's turns (<see cref="GroupCoordinator.Run"/>),
/// at most once.
/// </summary>
public interface IGroupHost
{
    /// <summary>Where events are reported.</summary>
    ILogger Logger { get; }

    /// <summary>A clock that never goes back, in milliseconds.</summary>
    long NowMs { get; }

    /// <summary>Unix milliseconds.</summary>
    long WallClockMs { get; }

    /// <summary>As <see cref="IGroupContext.Read"/>.</summary>
    void Read(LogIdentity partition, long offset, int maxBytes, Action<ReadOutcome> done);

    /// <summary>As <see cref="IGroupContext.LookUp"/>.</summary>
    void LookUp(LogIdentity partition, StartPosition position, long value, Action<OffsetAnswer> done);

    /// <summary>As <see cref="IGroupContext.Produce"/>.</summary>
    void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done);

    /// <summary>As <see cref="IGroupContext.InitProducer"/>.</summary>
    void InitProducer(Action<ErrorCode, long> done);
}
