using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Weir.Cli.Output;
using Weir.Client;

namespace Weir.Cli.Commands;

/// <summary>Prints dead letters.</summary>
internal static class DeadLetterOutput
{
    public static void Write(OutputFormat format, in ConsumedRecord record, DeadLetter letter)
    {
        switch (format)
        {
            case OutputFormat.Json:
                Console.WriteLine(ToJson(record, letter));
                break;
            case OutputFormat.Value:
                Console.WriteLine(Text(letter.Value));
                break;
            default:
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{record.Partition}/{record.Offset}\tfrom {letter.Topic} {letter.Partition}/{letter.Offset}\t{letter.Deliveries} deliveries\t{letter.Reason}\t{Text(letter.Key)}\t{Text(letter.Value)}"));
                break;
        }
    }

    private static string ToJson(in ConsumedRecord record, DeadLetter letter)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("deadLetterTopic", record.Topic);
            json.WriteNumber("partition", record.Partition);
            json.WriteNumber("offset", record.Offset);
            json.WriteString("group", letter.Group);
            json.WriteString("reason", letter.Reason);
            json.WriteNumber("deliveries", letter.Deliveries);
            json.WriteString("originalTopic", letter.Topic);
            json.WriteNumber("originalPartition", letter.Partition);
            json.WriteNumber("originalOffset", letter.Offset);
            json.WriteString("deadSince", record.AppendTime.UtcDateTime);
            RecordWriter.WriteBytes(json, "key", letter.Key);
            RecordWriter.WriteBytes(json, "value", letter.Value);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static string Text(ReadOnlyMemory<byte>? bytes) => bytes switch
    {
        null => "-",
        { } present when Utf8.IsValid(present.Span) => Encoding.UTF8.GetString(present.Span),
        { } present => $"base64:{Convert.ToBase64String(present.Span)}",
    };
}
