using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;
using Weir.Client;
using Weir.Protocol.Errors;

namespace Weir.Cli.Output;

/// <summary>How results are printed.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>For programs: one object or array, camelCase, stable.</summary>
    Json,

    /// <summary>Bare values, one a line.</summary>
    Value,
}

/// <summary>Writes results to stdout and everything else to stderr.</summary>
internal static class Terminal
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Prints one object as JSON on a line of its own.</summary>
    public static void WriteJson<T>(T value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, Json));

    /// <summary>Prints rows in aligned columns, or their first column alone for <see cref="OutputFormat.Value"/>.</summary>
    public static void WriteRows(OutputFormat format, string[] columns, IEnumerable<string[]> rows)
    {
        if (format == OutputFormat.Value)
        {
            foreach (var row in rows)
            {
                Console.Out.WriteLine(row[0]);
            }

            return;
        }

        var table = new Table { Border = TableBorder.None, ShowRowSeparators = false };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column.ToUpperInvariant())) { NoWrap = true, Padding = new Padding(0, 0, 3, 0) });
        }

        foreach (var row in rows)
        {
            table.AddRow([.. row.Select(static cell => new Text(cell))]);
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = 400;
        }

        console.Write(table);
    }

    /// <summary>Says what went wrong and what to do.</summary>
    public static void WriteError(string text, string? advice = null)
    {
        Console.Error.WriteLine($"weir: {text}");
        if (!string.IsNullOrEmpty(advice))
        {
            Console.Error.WriteLine($"      {advice}");
        }
    }

    /// <summary>Shows progress on a terminal; says nothing elsewhere.</summary>
    public static void WriteProgress(string text)
    {
        if (!Console.IsErrorRedirected)
        {
            Console.Error.Write($"\r{text}\u001b[K");
        }
    }

    /// <summary>Runs a command's body and turns its failures into a message and an exit code.</summary>
    public static async Task<int> RunAsync(Func<Task<int>> body)
    {
        try
        {
            return await body().ConfigureAwait(false);
        }
        catch (WeirException e)
        {
            var isUnreachable = e.Code == ErrorCode.ConnectionLost;
            WriteError(
                e.Message,
                isUnreachable ? "Is a broker running there? Start one with `weir broker --data DIR`, or name it with --server." : e.Advice);
            return isUnreachable ? ExitCode.Unreachable : ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (UsageException e)
        {
            WriteError(e.Message);
            return ExitCode.Usage;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            WriteError(e.Message);
            return ExitCode.Failed;
        }
    }
}

/// <summary>An argument that cannot be used; the text says which and what would.</summary>
internal sealed class UsageException(string message) : Exception(message);
