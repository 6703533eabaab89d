using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weir.Cli.Output;
using Weir.Client;

namespace Weir.Cli.Commands;

/// <summary>Prints the latest record of a key of an entity topic.</summary>
internal static class GetCommand
{
    private static readonly Argument<string> Topic = new("TOPIC") { Description = "Entity topic." };

    private static readonly Argument<string> Key = new("KEY") { Description = "The key, as text." };

    public static Command Create() => WeirCommand.WithClient(
        "get", "Print the latest record of a key of an entity topic. Exit code 1 if there is none, or it was deleted.", GetAsync, Topic, Key);

    private static async Task<int> GetAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var topic = parsed.GetRequiredValue(Topic);
        var key = parsed.GetRequiredValue(Key);
        var latest = await client.GetLatestAsync(topic, Encoding.UTF8.GetBytes(key), cancellationToken).ConfigureAwait(false);
        if (latest is null)
        {
            Terminal.WriteError($"key '{key}' has no record in topic {topic}");
            return ExitCode.Failed;
        }

        var stdout = Console.OpenStandardOutput();
        await using (stdout.ConfigureAwait(false))
        {
            Write(parsed.GetValue(WeirCommand.Output), stdout, topic, key, latest);
        }

        if (latest.IsDeleted)
        {
            Terminal.WriteError($"key '{key}' of topic {topic} was deleted at offset {latest.Offset}");
            return ExitCode.Failed;
        }

        return ExitCode.Success;
    }

    private static void Write(OutputFormat format, Stream output, string topic, string key, LatestRecord latest)
    {
        if (format == OutputFormat.Json)
        {
            using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.WriteStartObject();
            json.WriteString("topic", topic);
            json.WriteNumber("partition", latest.Partition);
            json.WriteNumber("offset", latest.Offset);
            json.WriteString("key", key);
            RecordWriter.WriteBytes(json, "value", latest.Value);
            json.WriteBoolean("isDeleted", latest.IsDeleted);
            json.WriteString("timestamp", latest.Timestamp.UtcDateTime);
            json.WriteEndObject();
        }
        else if (latest.Value is not { } value)
        {
            return;
        }
        else
        {
            if (format == OutputFormat.Table)
            {
                output.Write(Encoding.UTF8.GetBytes(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{latest.Partition}/{latest.Offset}\t{latest.Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ}\t{key}\t")));
            }

            output.Write(value.Span);
        }

        output.Write("\n"u8);
    }
}
