using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Weir.Cli.Output;
using Weir.Client;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Reads a topic and prints its records.</summary>
internal static class ConsumeCommand
{
    private static readonly Argument<string> Topic = new("TOPIC") { Description = "Topic to read." };

    private static readonly Option<string> From = new("--from")
    {
        Description = "earliest, latest, an offset, or a time as 2026-01-31T12:00:00Z.",
        DefaultValueFactory = static _ => "earliest",
    };

    private static readonly Option<int[]> Partition = new("--partition") { Description = "Partition to read; all without it." };

    private static readonly Option<long?> Count = new("--count") { Description = "Stop after so many records." };

    private static readonly Option<bool> Follow = new("--follow", "-f")
    {
        Description = "Wait for new records at the end instead of stopping there.",
    };

    private static readonly Option<string> Group = new("--group")
    {
        Description = "Consume as a member of this group, until Ctrl-C or --count; what was printed is committed or acknowledged.",
    };

    private static readonly Option<GroupMode?> Mode = new("--mode")
    {
        Description = "stream, queue or keyed: declare the group for the topic if it is not, where the cluster allows that.",
    };

    public static Command Create() => WeirCommand.WithClient(
        "consume", "Read records, alone or as a member of a group.", ConsumeAsync, Topic, From, Partition, Count, Follow, Group, Mode);

    /// <summary>Reads the text of --from.</summary>
    /// <exception cref="UsageException">It is none of the forms.</exception>
    public static ConsumerStart ParseStart(string text)
    {
        if (text.Equals("earliest", StringComparison.OrdinalIgnoreCase))
        {
            return ConsumerStart.Earliest;
        }

        if (text.Equals("latest", StringComparison.OrdinalIgnoreCase))
        {
            return ConsumerStart.Latest;
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var offset))
        {
            return ConsumerStart.AtOffset(offset);
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? ConsumerStart.AtTimestamp(time)
            : throw new UsageException($"--from '{text}' is neither earliest, latest, an offset nor a time as 2026-01-31T12:00:00Z");
    }

    private static async Task<int> ConsumeAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(Group) is { } group)
        {
            return await GroupConsuming.RunAsync(
                client, parsed.GetRequiredValue(Topic), group, parsed.GetValue(Mode), parsed.GetValue(Count) ?? long.MaxValue,
                parsed.GetValue(WeirCommand.Output), cancellationToken).ConfigureAwait(false);
        }

        var partitions = parsed.GetValue(Partition);
        var consumer = client.CreateConsumer(parsed.GetRequiredValue(Topic), new ConsumerOptions
        {
            Start = ParseStart(parsed.GetRequiredValue(From)),
            Partitions = partitions is { Length: > 0 } ? partitions : null,
            StopAtEnd = !parsed.GetValue(Follow),
            ReuseBuffers = true,
        });
        var left = parsed.GetValue(Count) ?? long.MaxValue;
        var stdout = Console.OpenStandardOutput();
        await using (consumer.ConfigureAwait(false))
        await using (stdout.ConfigureAwait(false))
        {
            var writer = new RecordWriter(parsed.GetValue(WeirCommand.Output), stdout, isLive: parsed.GetValue(Follow));
            try
            {
                if (left > 0)
                {
                    await foreach (var record in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                    {
                        writer.Write(record);
                        if (--left == 0)
                        {
                            break;
                        }
                    }
                }
            }
            catch (OperationCanceledException) when (parsed.GetValue(Follow))
            {
                // Ctrl-C is how following ends.
            }
            catch (IOException e) when (e is not FileNotFoundException)
            {
                // The reader of our output has seen enough, as `head` does.
                return ExitCode.Success;
            }

            writer.Flush();
        }

        return ExitCode.Success;
    }
}

/// <summary>Prints records, buffered unless somebody watches them come in.</summary>
internal sealed class RecordWriter(OutputFormat format, Stream output, bool isLive)
{
    private const int FlushBytes = 64 * 1024;
    private readonly ArrayBufferWriter<byte> _buffer = new(2 * FlushBytes);

    public void Write(in ConsumedRecord record)
    {
        switch (format)
        {
            case OutputFormat.Json:
                WriteJson(record);
                break;
            case OutputFormat.Value:
                _buffer.Write((record.Value ?? default).Span);
                break;
            default:
                WriteLine(record);
                break;
        }

        _buffer.Write("\n"u8);
        if (isLive || _buffer.WrittenCount > FlushBytes)
        {
            Flush();
        }
    }

    public void Flush()
    {
        output.Write(_buffer.WrittenSpan);
        output.Flush();
        _buffer.ResetWrittenCount();
    }

    public void Write(Delivery record)
    {
        switch (format)
        {
            case OutputFormat.Json:
                WriteJson(record);
                break;
            case OutputFormat.Value:
                _buffer.Write((record.Value ?? default).Span);
                break;
            default:
                Write($"{record.Partition}/{record.Offset}\t{record.Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ}\t");
                WriteFields(record.Key, record.Value);
                break;
        }

        _buffer.Write("\n"u8);
        if (isLive || _buffer.WrittenCount > FlushBytes)
        {
            Flush();
        }
    }

    private void WriteFields(ReadOnlyMemory<byte>? key, ReadOnlyMemory<byte>? value)
    {
        _buffer.Write(key is { } known ? known.Span : "-"u8);
        _buffer.Write("\t"u8);
        _buffer.Write(value is { } present ? present.Span : "(null)"u8);
    }

    private void WriteLine(in ConsumedRecord record)
    {
        Write($"{record.Partition}/{record.Offset}\t{record.Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ}\t");
        WriteFields(record.Key, record.Value);
    }

    private void Write(FormattableString text)
    {
        var formatted = text.ToString(CultureInfo.InvariantCulture);
        var span = _buffer.GetSpan(formatted.Length);
        _buffer.Advance(System.Text.Encoding.ASCII.GetBytes(formatted, span));
    }

    private void WriteJson(in ConsumedRecord record)
    {
        using var json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("topic", record.Topic);
        json.WriteNumber("partition", record.Partition);
        json.WriteNumber("offset", record.Offset);
        WriteBytes(json, "key", record.Key);
        WriteBytes(json, "value", record.Value);
        json.WriteString("timestamp", record.Timestamp.UtcDateTime);
        json.WriteString("appendTime", record.AppendTime.UtcDateTime);
        WriteHeaders(json, record.Headers);
        json.WriteEndObject();
    }

    private void WriteJson(Delivery record)
    {
        using var json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("topic", record.Topic);
        json.WriteNumber("partition", record.Partition);
        json.WriteNumber("offset", record.Offset);
        WriteBytes(json, "key", record.Key);
        WriteBytes(json, "value", record.Value);
        json.WriteString("timestamp", record.Timestamp.UtcDateTime);
        json.WriteNumber("deliveryCount", record.DeliveryCount);
        json.WriteString("firstDelivered", record.FirstDelivered.UtcDateTime);
        WriteHeaders(json, record.Headers);
        json.WriteEndObject();
    }

    private static void WriteHeaders(Utf8JsonWriter json, IReadOnlyList<Weir.Protocol.Records.RecordHeader> headers)
    {
        json.WriteStartArray("headers");
        foreach (var header in headers)
        {
            json.WriteStartObject();
            json.WriteString("name", header.Name);
            WriteBytes(json, "value", header.Value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>UTF-8 as a string, other bytes as {"base64": …}, null as null.</summary>
    internal static void WriteBytes(Utf8JsonWriter json, string name, ReadOnlyMemory<byte>? bytes)
    {
        if (bytes is not { } present)
        {
            json.WriteNull(name);
        }
        else if (Utf8.IsValid(present.Span))
        {
            json.WriteString(name, present.Span);
        }
        else
        {
            json.WriteStartObject(name);
            json.WriteBase64String("base64", present.Span);
            json.WriteEndObject();
        }
    }
}
