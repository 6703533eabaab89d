using System.Text.Json;

namespace Weir.Testing.Support.History;

/// <summary>A history as lines of JSON, by time of invocation, so that a run can be checked again or looked at.</summary>
public static class HistoryFile
{
    private const string Header = "history";
    private const string Gap = "gap";

    /// <summary>Writes a history that is no longer recorded to.</summary>
    public static void Write(HistoryLog history, string path)
    {
        using var writer = new StreamWriter(path);
        Write(history, writer);
    }

    /// <inheritdoc cref="Write(HistoryLog, string)"/>
    public static void Write(HistoryLog history, TextWriter writer)
    {
        WriteLine(writer, new HistoryLine { Kind = Header, TicksPerSecond = history.TicksPerSecond });
        foreach (var gap in history.Gaps)
        {
            WriteLine(writer, new HistoryLine
            {
                Kind = Gap,
                Topic = gap.Partition.Topic,
                Partition = gap.Partition.Partition,
                From = gap.From,
                To = gap.To,
                Reason = gap.Reason,
            });
        }

        foreach (var id in Enumerable.Range(0, history.Count).OrderBy(id => history.At(id).Invoked))
        {
            WriteLine(writer, ToLine(history, id));
        }
    }

    /// <summary>Reads a history. Operations get the order of their numbers again, whatever the order of the lines.</summary>
    public static HistoryLog Read(string path)
    {
        using var reader = new StreamReader(path);
        return Read(reader);
    }

    /// <inheritdoc cref="Read(string)"/>
    public static HistoryLog Read(TextReader reader)
    {
        var history = new HistoryLog();
        var operations = new List<HistoryLine>();
        while (reader.ReadLine() is { } text)
        {
            var line = JsonSerializer.Deserialize(text, HistoryLineContext.Default.HistoryLine)!;
            switch (line.Kind)
            {
                case Header:
                    history = new HistoryLog(line.TicksPerSecond!.Value);
                    break;
                case Gap:
                    history.DeclareGap(PartitionOf(line)!.Value, line.From!.Value, line.To!.Value, line.Reason!.Value);
                    break;
                default:
                    operations.Add(line);
                    break;
            }
        }

        foreach (var line in operations.OrderBy(static line => line.Id))
        {
            Replay(history, line);
        }

        return history;
    }

    private static void WriteLine(TextWriter writer, HistoryLine line) =>
        writer.Write(JsonSerializer.Serialize(line, HistoryLineContext.Default.HistoryLine) + "\n");

    private static HistoryLine ToLine(HistoryLog history, int id)
    {
        var operation = history[id];
        var isSend = operation.Kind == OperationKind.Send;
        var partition = operation.Partition >= 0 ? history.Partitions[operation.Partition] : (PartitionId?)null;
        return new HistoryLine
        {
            Kind = operation.Kind.ToString().ToLowerInvariant(),
            Id = id,
            Process = operation.Process,
            Invoked = operation.Invoked,
            Completed = operation.Completed == Operation.Never ? null : operation.Completed,
            Outcome = operation.Completed == Operation.Never ? null : operation.Outcome,
            Final = operation.IsFinal ? true : null,
            Topic = partition?.Topic,
            Partition = partition?.Partition,
            Value = isSend ? operation.Value : null,
            Offset = isSend ? Known(operation.Offset) : null,
            Acks = isSend ? operation.Acks : null,
            Batch = operation.Batch == 0 ? null : operation.Batch,
            Reads = isSend ? null : [.. history.SlicesOf(id).Select(slice => ToLine(history, slice))],
        };
    }

    private static SliceLine ToLine(HistoryLog history, PartitionSlice slice) => new()
    {
        Topic = history.Partitions[slice.Partition].Topic,
        Partition = history.Partitions[slice.Partition].Partition,
        Position = Known(slice.Position),
        End = Known(slice.End),
        Offsets = [.. history.RecordsOf(slice).Select(static record => record.Offset)],
        Values = [.. history.RecordsOf(slice).Select(static record => record.Value)],
    };

    private static void Replay(HistoryLog history, HistoryLine line)
    {
        var (process, invoked) = (line.Process!.Value, line.Invoked!.Value);
        switch (Enum.Parse<OperationKind>(line.Kind, ignoreCase: true))
        {
            case OperationKind.Send:
                ReplaySend(history, line);
                break;
            case OperationKind.Poll:
                var poll = history.BeginPoll(process, invoked, line.Final ?? false);
                if (line.Completed is { } completed)
                {
                    history.EndPoll(poll, ToResult(line), completed, line.Outcome!.Value);
                }

                break;
            case OperationKind.Assign:
                history.Assign(process, ToResult(line), invoked);
                break;
            default:
                history.Crash(process, invoked);
                break;
        }
    }

    private static void ReplaySend(HistoryLog history, HistoryLine line)
    {
        var send = history.BeginSend(
            line.Process!.Value, PartitionOf(line), line.Value!.Value, line.Invoked!.Value, line.Acks!.Value, line.Batch ?? 0);
        switch (line)
        {
            case { Completed: null }:
                break;
            case { Outcome: Outcome.Ok }:
                history.Acknowledge(send, PartitionOf(line)!.Value, line.Offset ?? -1, line.Completed.Value);
                break;
            case { Outcome: Outcome.Fail }:
                history.Fail(send, line.Completed.Value);
                break;
            default:
                history.Unknown(send, line.Completed.Value);
                break;
        }
    }

    private static PollResult ToResult(HistoryLine line)
    {
        var result = new PollResult();
        foreach (var slice in line.Reads ?? [])
        {
            result.Partition(new PartitionId(slice.Topic, slice.Partition), slice.Position ?? -1, slice.End ?? -1);
            foreach (var (offset, value) in (slice.Offsets ?? []).Zip(slice.Values ?? []))
            {
                result.Add(offset, value);
            }
        }

        return result;
    }

    private static PartitionId? PartitionOf(HistoryLine line) =>
        line.Topic is null ? null : new PartitionId(line.Topic, line.Partition!.Value);

    private static long? Known(long offset) => offset < 0 ? null : offset;
}
