using System.CommandLine;
using System.Diagnostics;
using Weir.Cli.Output;
using Weir.Client;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Cli.Commands;

/// <summary>Publishes lines of a file or of stdin, and says how many were acknowledged whatever happens.</summary>
internal static class ProduceCommand
{
    private static readonly Argument<string> Topic = new("TOPIC") { Description = "Topic to publish to." };

    private static readonly Option<FileInfo?> InputFile = new("--file") { Description = "File to read; stdin without it." };

    private static readonly Option<InputFormat> Format = new("--format")
    {
        Description = "lines: a line is a value. json: a line is a JSON object.",
        DefaultValueFactory = static _ => InputFormat.Lines,
    };

    private static readonly Option<string?> Key = new("--key")
    {
        Description = "With lines, what separates key and value; with json, the field that is the key.",
    };

    public static readonly Option<Acks> AcksOption = new("--acks")
    {
        Description = "When a record counts as acknowledged: all, leader or none.",
        DefaultValueFactory = static _ => Acks.All,
    };

    public static readonly Option<CompressionType> Compression = new("--compression")
    {
        Description = "lz4, zstd or none.",
        DefaultValueFactory = static _ => CompressionType.None,
    };

    private static readonly Option<int> DeliveryTimeout = new("--delivery-timeout")
    {
        Description = "Seconds that a record may take, retries included, before it counts as failed.",
        DefaultValueFactory = static _ => 30,
    };

    private static readonly Option<string?> Writer = new("--writer")
    {
        Description = "Who publishes, for a topic whose setting writer names the only one who may.",
    };

    public static Command Create() => WeirCommand.WithClient(
        "produce", "Publish records.", ProduceAsync, Topic, InputFile, Format, Key, AcksOption, Compression, DeliveryTimeout, Writer);

    private static async Task<int> ProduceAsync(ParseResult parsed, WeirClient client, CancellationToken cancellationToken)
    {
        var input = parsed.GetValue(InputFile) is { } file
            ? new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, useAsync: true)
            : Console.OpenStandardInput();
        await using (input.ConfigureAwait(false))
        {
            var topic = parsed.GetRequiredValue(Topic);
            var description = await client.Admin.DescribeTopicAsync(topic, cancellationToken).ConfigureAwait(false);
            var producer = client.CreateProducer(topic, new ProducerOptions
            {
                Acks = parsed.GetValue(AcksOption),
                Compression = parsed.GetValue(Compression),
                Writer = parsed.GetValue(Writer),
                DeliveryTimeout = TimeSpan.FromSeconds(parsed.GetValue(DeliveryTimeout)),
            });
            await using (producer.ConfigureAwait(false))
            {
                var parser = new RecordParser(parsed.GetValue(Format), parsed.GetValue(Key));
                var run = new ProduceRun(producer, new LineReader(input), parser);
                await run.RunAsync(cancellationToken).ConfigureAwait(false);
                Report(parsed, description.Name, producer, run);
                return run.ExitCode;
            }
        }
    }

    private static void Report(ParseResult parsed, string topic, WeirProducer producer, ProduceRun run)
    {
        var acknowledged = producer.RecordsAcknowledged;
        switch (parsed.GetValue(WeirCommand.Output))
        {
            case OutputFormat.Json:
                Terminal.WriteJson(new
                {
                    Topic = topic,
                    run.Sent,
                    Acknowledged = acknowledged,
                    NotAcknowledged = run.Sent - acknowledged,
                    run.Bytes,
                    Seconds = Math.Round(run.Elapsed.TotalSeconds, 3),
                });
                break;
            case OutputFormat.Value:
                Console.WriteLine(acknowledged);
                break;
            default:
                Console.WriteLine($"{acknowledged} of {run.Sent} records acknowledged in {run.Elapsed.TotalSeconds:F2} s.");
                break;
        }

        if (run.Fault is { } fault)
        {
            Terminal.WriteError(fault, run.Advice);
        }
    }
}

/// <summary>One pass over an input. It stops at the first record that failed for good.</summary>
internal sealed class ProduceRun(WeirProducer producer, LineReader lines, RecordParser parser)
{
    private readonly Stopwatch _stopwatch = Stopwatch.StartNew();

    public long Sent { get; private set; }

    public long Bytes { get; private set; }

    public TimeSpan Elapsed => _stopwatch.Elapsed;

    public string? Fault { get; private set; }

    public string? Advice { get; private set; }

    public int ExitCode { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SendAllAsync(cancellationToken).ConfigureAwait(false);
            await producer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (WeirException e)
        {
            (Fault, Advice, ExitCode) = (e.Message, e.Advice, Output.ExitCode.NotAcknowledged);
        }
        catch (UsageException e)
        {
            await FlushQuietlyAsync().ConfigureAwait(false);
            (Fault, ExitCode) = (e.Message, Output.ExitCode.Usage);
        }
        catch (OperationCanceledException)
        {
            await FlushQuietlyAsync().ConfigureAwait(false);
            (Fault, ExitCode) = ("interrupted", Output.ExitCode.Interrupted);
        }

        if (ExitCode == Output.ExitCode.Success && producer.RecordsAcknowledged < Sent)
        {
            ExitCode = Output.ExitCode.NotAcknowledged;
        }

        _stopwatch.Stop();
    }

    private async Task SendAllAsync(CancellationToken cancellationToken)
    {
        while (producer.RecordsFailed == 0 && await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            var (key, value) = parser.Parse(line, lines.LineNumber);
            await producer.PostAsync(new OutgoingRecord { Key = key, Value = value }, cancellationToken).ConfigureAwait(false);
            Sent++;
            Bytes += line.Length;
            if (Sent % 100_000 == 0)
            {
                Terminal.WriteProgress($"{producer.RecordsAcknowledged} of {Sent} acknowledged");
            }
        }

        Terminal.WriteProgress(string.Empty);
    }

    /// <summary>What is under way may still be acknowledged: the count is more useful with it.</summary>
    private async Task FlushQuietlyAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await producer.FlushAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WeirException or OperationCanceledException)
        {
            // The count that is printed tells.
        }
    }
}
