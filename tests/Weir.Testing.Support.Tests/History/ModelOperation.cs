using Weir.Protocol.Messages;
using Weir.Testing.Support.History;

namespace Weir.Testing.Support.Tests.History;

/// <summary>An operation that can still be changed.</summary>
internal sealed class ModelOperation
{
    public required OperationKind Kind { get; init; }

    public required int Process { get; init; }

    public required long Invoked { get; set; }

    public long? Completed { get; set; }

    public Outcome Outcome { get; set; }

    public bool IsFinal { get; init; }

    public PartitionId? Partition { get; set; }

    public long Value { get; set; }

    public long Offset { get; set; } = -1;

    public Acks Acks { get; init; } = Acks.All;

    public int Batch { get; init; }

    public List<ModelSlice> Slices { get; } = [];

    /// <summary>Whether the acknowledgement promises that the record stays.</summary>
    public bool IsKept => Kind == OperationKind.Send && Outcome == Outcome.Ok && Acks == Acks.All;

    /// <summary>Whether a poll's reads count as reads.</summary>
    public bool IsRead => Kind == OperationKind.Poll && Outcome == Outcome.Ok && Completed is not null;
}

/// <summary>What an operation says of one partition.</summary>
internal sealed class ModelSlice
{
    public required PartitionId Partition { get; init; }

    public long Position { get; init; } = -1;

    public long End { get; set; } = -1;

    public List<ReadRecord> Records { get; } = [];
}

/// <summary>A history that can still be changed.</summary>
internal sealed class ModelHistory
{
    public List<ModelOperation> Operations { get; } = [];

    public List<OffsetGap> Gaps { get; } = [];

    public IEnumerable<ModelOperation> Sends => Operations.Where(static operation => operation.Kind == OperationKind.Send);

    /// <summary>The slices of the polls whose reads count.</summary>
    public IEnumerable<(ModelOperation Poll, ModelSlice Slice)> Reads =>
        from operation in Operations where operation.IsRead from slice in operation.Slices select (operation, slice);

    /// <summary>Records it: by time of invocation, and in the order of the list where that is the same.</summary>
    public HistoryLog ToLog()
    {
        var log = new HistoryLog();
        foreach (var gap in Gaps)
        {
            log.DeclareGap(gap.Partition, gap.From, gap.To, gap.Reason);
        }

        foreach (var operation in Operations.OrderBy(static operation => operation.Invoked))
        {
            switch (operation.Kind)
            {
                case OperationKind.Send:
                    RecordSend(log, operation);
                    break;
                case OperationKind.Poll:
                    var poll = log.BeginPoll(operation.Process, operation.Invoked, operation.IsFinal);
                    if (operation.Completed is { } time)
                    {
                        log.EndPoll(poll, ToResult(operation), time, operation.Outcome);
                    }

                    break;
                case OperationKind.Assign:
                    log.Assign(operation.Process, ToResult(operation), operation.Invoked);
                    break;
                default:
                    log.Crash(operation.Process, operation.Invoked);
                    break;
            }
        }

        return log;
    }

    private static void RecordSend(HistoryLog log, ModelOperation send)
    {
        var id = log.BeginSend(send.Process, send.Partition, send.Value, send.Invoked, send.Acks, send.Batch);
        if (send.Completed is { } time)
        {
            switch (send.Outcome)
            {
                case Outcome.Ok:
                    log.Acknowledge(id, send.Partition!.Value, send.Offset, time);
                    break;
                case Outcome.Fail:
                    log.Fail(id, time);
                    break;
                default:
                    log.Unknown(id, time);
                    break;
            }
        }
    }

    private static PollResult ToResult(ModelOperation operation)
    {
        var result = new PollResult();
        foreach (var slice in operation.Slices)
        {
            result.Partition(slice.Partition, slice.Position, slice.End);
            foreach (var record in slice.Records)
            {
                result.Add(record.Offset, record.Value);
            }
        }

        return result;
    }
}
