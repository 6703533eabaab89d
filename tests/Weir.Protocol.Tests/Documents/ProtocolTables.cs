using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Tests.Documents;

/// <summary>The parts of docs/protocol.md that are made from code, by the name of their marker.</summary>
internal static partial class ProtocolTables
{
    private static readonly XDocument Comments =
        XDocument.Load(Path.Combine(AppContext.BaseDirectory, "Weir.Protocol.xml"));

    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>
    {
        ["apis"] = Apis(),
        ["limits"] = Limits(),
        ["errors"] = Errors(),
        ["messages"] = Messages(),
        ["hello"] = HelloExample.Text(),
    };

    private static string Apis()
    {
        var rows = ApiTable.Ranges.Select(static range =>
        {
            var kinds = ApiMessages().Where(message => message.Api == range.Api && message.Role != MessageRole.Error);
            return Row(
                $"{(ushort)range.Api}", $"[{range.Api}](#{Anchor(range.Api)})", $"{range.MinVersion}–{range.MaxVersion}",
                Kinds(kinds.Select(static message => message.Role)), Summary($"F:Weir.Protocol.ApiKey.{range.Api}"));
        });
        return Table(["Key", "API", "Versions", "Frames", "What for"], rows);
    }

    private static string Kinds(IEnumerable<MessageRole> roles) => roles.First() switch
    {
        MessageRole.BrokerPush => "push by the broker",
        MessageRole.ClientPush => "push by the client",
        _ => "request, response",
    };

    private static string Limits()
    {
        var rows = typeof(ProtocolLimits).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => Row(
            string.Create(CultureInfo.InvariantCulture, $"{field.GetRawConstantValue():N0}"),
            Summary($"F:Weir.Protocol.Wire.ProtocolLimits.{field.Name}")));
        return Table(["Limit", "Of what"], rows);
    }

    private static string Errors()
    {
        var rows = ErrorCatalog.All.Select(static info => Row(
            $"{(ushort)info.Code}", $"{info.Code}", info.IsRetriable ? "yes" : "", info.ClosesConnection ? "yes" : "",
            Summary($"F:Weir.Protocol.Errors.ErrorCode.{info.Code}"), info.Advice));
        return Table(["Code", "Name", "Retry", "Closes", "Meaning", "What to do"], rows);
    }

    private static string Messages()
    {
        var text = new StringBuilder();
        ApiKey? current = null;
        foreach (var message in ApiMessages())
        {
            var isError = message.Role == MessageRole.Error;
            if (message.Api != current || isError)
            {
                current = message.Api;
                text.Append(isError ? "### Error\n\n" : $"### {(ushort)message.Api} {message.Api}\n\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"**{Title(message.Role)}, version {message.Version}.** ");
            text.Append(Summary($"T:{message.Type.FullName}")).Append("\n\n");
            text.Append(Table(["Field", "Type", "Meaning"], message.Fields.Select(static field => Row(
                string.Concat(Enumerable.Repeat("↳ ", field.Depth)) + $"`{field.Name}`", field.Type, field.Meaning))));
            text.Append('\n');
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static string Title(MessageRole role) => role switch
    {
        MessageRole.BrokerPush => "Push by the broker",
        MessageRole.ClientPush => "Push by the client",
        MessageRole.Error => "Body of every response with the error flag",
        _ => role.ToString(),
    };

    private static string Anchor(ApiKey api) => $"{(ushort)api}-{api}".ToLowerInvariant();

    private static string Row(params string[] cells) =>
        $"| {string.Join(" | ", cells.Select(static cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |\n";

    private static string Table(string[] titles, IEnumerable<string> rows) =>
        Row(titles) + "|" + string.Concat(Enumerable.Repeat("---|", titles.Length)) + "\n" + string.Concat(rows);

    private static string Summary(string member)
    {
        var element = Comments.Descendants("member").Single(m => (string?)m.Attribute("name") == member).Element("summary")!;
        var text = string.Concat(element.Nodes().Select(static node => node is XElement { Name.LocalName: "see" or "c" } named
            ? $"`{named.Attribute("cref")?.Value.Split('.')[^1] ?? named.Value}`"
            : node.ToString()));
        return Spaces().Replace(text, " ").Trim();
    }

    private static List<ApiMessage> ApiMessages()
    {
        var collector = new Collector();
        ApiTable.VisitAll(collector);
        return collector.Messages;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    private sealed record ApiMessage(
        ApiKey Api, MessageRole Role, ushort Version, Type Type, IReadOnlyList<SchemaField> Fields);

    private sealed class Collector : IMessageVisitor
    {
        public List<ApiMessage> Messages { get; } = [];

        public void Visit<T>(ApiKey api, MessageRole role, ushort version)
            where T : IMessage, new() =>
            Messages.Add(new ApiMessage(api, role, version, typeof(T), SchemaCodec.Describe<T>(version)));
    }
}

/// <summary>A hello frame, taken apart.</summary>
internal static class HelloExample
{
    private static readonly (int Bytes, string Note)[] Parts =
    [
        (4, "length: 58 bytes follow"), (1, "kind: request"), (1, "flags"), (2, "API key 0, Hello"), (2, "version 1"),
        (2, "reserved"), (4, "correlation id 1"),
        (4, "magic `WEIR`"), (2, "clusterId: null, any cluster"), (4, "nodeId: -1, any node"),
        (2 + 4, "sdkName \"demo\""), (2 + 3, "sdkVersion \"0.1\""), (2, "clientId: empty"),
        (4, "apis: 3 elements"), (6, "Hello, versions 1 to 1"), (6, "Authenticate, 1 to 1"), (6, "Produce, 1 to 1"),
        (1, "no tagged fields"),
    ];

    public static string Text()
    {
        using var buffer = new WireBuffer();
        Frames.Append(buffer, FrameKind.Request, ApiKey.Hello, 1, 1, new HelloRequest
        {
            SdkName = "demo",
            SdkVersion = "0.1",
            Apis = [Range(ApiKey.Hello), Range(ApiKey.Authenticate), Range(ApiKey.Produce)],
        });
        var text = new StringBuilder("```\n");
        var rest = buffer.Span;
        foreach (var (bytes, note) in Parts)
        {
            var hex = string.Join(' ', rest[..bytes].ToArray().Select(static b => b.ToString("x2", CultureInfo.InvariantCulture)));
            text.Append(hex.PadRight(20)).Append(note).Append('\n');
            rest = rest[bytes..];
        }

        return rest.IsEmpty && buffer.Length == 58 + FrameHeader.LengthFieldSize
            ? text.Append("```\n").ToString()
            : throw new InvalidOperationException($"the parts leave {rest.Length} of {buffer.Length} bytes over");
    }

    private static ApiRange Range(ApiKey api) => new() { Api = api, MinVersion = 1, MaxVersion = 1 };
}
