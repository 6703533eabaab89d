using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Weir.Operator.Crds;

/// <summary>The summaries of the documentation file that the compiler writes beside an assembly.</summary>
internal sealed partial class DocumentationFile
{
    private readonly Dictionary<string, string> _summaries;

    private DocumentationFile(Dictionary<string, string> summaries) => _summaries = summaries;

    /// <exception cref="FileNotFoundException">It is not beside the assembly.</exception>
    public static DocumentationFile Of(Assembly assembly)
    {
        var path = Path.ChangeExtension(assembly.Location, ".xml");
        return new DocumentationFile(XDocument.Load(path).Descendants("member")
            .Where(static member => member.Element("summary") is not null)
            .ToDictionary(
                static member => member.Attribute("name")!.Value, static member => ToText(member.Element("summary")!)));
    }

    public string? Find(Type type) => _summaries.GetValueOrDefault($"T:{type.FullName}");

    public string? Find(PropertyInfo property)
    {
        var declaring = property.DeclaringType!;
        var name = (declaring.IsGenericType ? declaring.GetGenericTypeDefinition() : declaring).FullName;
        return _summaries.GetValueOrDefault($"P:{name}.{property.Name}");
    }

    private static string ToText(XElement summary) => Spaces().Replace(summary.Value, " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
